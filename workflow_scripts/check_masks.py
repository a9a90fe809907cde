"""Find and check the ground truth, for evaluation alone."""

import argparse

from getam_core.data import class_names, of_split, read_index
from getam_core.evaluation import check_masks, write_mask_index
from workflow_scripts import command
from workflow_scripts.data_set import masks_of_data_set


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    index = read_index(arguments.index)
    classes = class_names(settings.data.classes, index)
    entries = of_split(index, arguments.split)
    masks = masks_of_data_set(
        settings,
        arguments.root,
        arguments.split,
        entries,
        classes,
        out=arguments.out.with_suffix(""),
        workers=arguments.threads,
    )
    check_masks(masks, entries, 1 + len(classes), workers=arguments.threads, classes=classes)
    write_mask_index(arguments.out, masks)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__, root="folder of the data set", index="index.csv", out="masks.csv"
    )
    arguments_parser.add_argument("--split", required=True, choices=("train", "val"))
    command.run(main, arguments_parser)
