"""Labels of the training images by the trained network, of each image's own classes alone."""

import argparse
import json

from getam_core.data import of_split, read_index
from getam_core.files import digest
from getam_core.inference.network_labels import label_split
from getam_core.inference.single_stage import SingleStage
from getam_core.networks import load_network, read_classes, read_supervision
from getam_core.stores import StoreWriter
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    predict = settings.predict
    classes = read_classes(arguments.checkpoint)
    network = load_network(arguments.checkpoint).to(command.torch_device(arguments))
    made_from = {
        "method": "network",
        "checkpoint": digest(arguments.checkpoint),
        "supervision": read_supervision(arguments.checkpoint),
    }
    header = json.loads(arguments.settings) | {"made_from": made_from}
    with StoreWriter(arguments.out, "labels", classes, header) as writer:
        label_split(
            SingleStage(network, sizes=predict.sizes, flip=predict.flip),
            of_split(read_index(arguments.index), "train"),
            writer,
            classes=classes,
            recipe=predict.crf_recipe if predict.crf else None,
            workers=arguments.threads,
        )


if __name__ == "__main__":
    command.run(
        main,
        command.parser(__doc__, index="index.csv", checkpoint="checkpoint.pt", out="labels.h5"),
    )
