"""Activation maps of the training images, by one method, at patch resolution."""

import argparse
import json
from functools import partial

from getam_core.activation import METHODS, export_maps
from getam_core.data import of_split, read_index
from getam_core.stores import StoreWriter
from getam_core.training import load_network
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    entries = of_split(read_index(arguments.index), "train")
    device = command.torch_device(arguments)

    method = METHODS[arguments.method]
    if arguments.method == "getam":
        method = partial(method, **settings.getam.model_dump())
    header = json.loads(arguments.settings) | {"method": arguments.method}
    with StoreWriter(arguments.out, "maps", settings.data.classes, header) as writer:
        export_maps(
            method,
            load_network(arguments.checkpoint),
            entries,
            writer,
            classes=settings.data.classes,
            size=settings.maps.size,
            flip=settings.maps.flip,
            device=device,
        )


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__, index="index.csv", checkpoint="checkpoint.pt", out="maps.h5"
    )
    arguments_parser.add_argument("--method", required=True, help="a name in activation.METHODS")
    command.run(main, arguments_parser)
