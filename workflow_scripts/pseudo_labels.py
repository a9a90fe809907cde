"""Pseudo labels of the images of a split from their stored maps; needs no network and no GPU."""

import argparse
import json
from pathlib import Path

from getam_core.data import of_split, read_index
from getam_core.labels import export_labels
from getam_core.stores import StoreWriter, open_store
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    labelling = settings.pseudo_labels.model_dump(exclude={"saliency"})
    uses_saliency = settings.pseudo_labels.uses_saliency
    maps = open_store(arguments.maps, "maps")
    header = json.loads(arguments.settings) | {"made_from": maps.settings}
    with StoreWriter(arguments.out, "labels", maps.classes, header) as writer:
        export_labels(
            of_split(read_index(arguments.index), arguments.split),
            maps,
            open_store(arguments.saliency, "saliency") if uses_saliency else None,
            writer,
            workers=arguments.threads,
            **labelling,
        )


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, index="index.csv", maps="maps.h5", out="labels.h5")
    arguments_parser.add_argument("--split", required=True, choices=("train", "val"))
    arguments_parser.add_argument("--saliency", type=Path, help="saliency.h5, if labels use it")
    command.run(main, arguments_parser)
