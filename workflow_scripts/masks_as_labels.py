"""The masks of the training images as label maps: what a supervised ceiling is trained on."""

import argparse

from getam_core.data import class_names, of_split, read_index
from getam_core.evaluation import masks_of, read_mask, read_mask_index
from getam_core.stores import StoreWriter, import_png
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    index = read_index(arguments.index)
    classes = class_names(command.settings_of(arguments).data.classes, index)
    entries = of_split(index, "train")
    masks = masks_of(entries, read_mask_index(arguments.masks))
    with StoreWriter(arguments.out, "labels", classes, {"supervision": "masks"}) as writer:
        import_png(masks, writer, len(classes), read_mask)  # SBD's are not PNGs


if __name__ == "__main__":
    command.run(
        main, command.parser(__doc__, index="index.csv", masks="masks_train.csv", out="labels.h5")
    )
