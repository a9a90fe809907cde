"""Saliency maps of the training images, from a trained network or from a folder of maps."""

import argparse
import json
from pathlib import Path

from getam_core.data import class_names, of_split, read_index
from getam_core.saliency import load_saliency, network_saliency, precomputed_saliency
from getam_core.stores import StoreWriter
from workflow_scripts import command
from workflow_scripts.saliency_network import build_saliency_network


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    index = read_index(arguments.index)
    entries, classes = of_split(index, "train"), class_names(settings.data.classes, index)
    header = json.loads(arguments.settings)
    with StoreWriter(arguments.out, "saliency", classes, header) as writer:
        if settings.saliency.source == "precomputed":
            precomputed_saliency(settings.saliency.folder, entries, writer)
            return
        device = command.torch_device(arguments)
        network = build_saliency_network(settings, initial_weights=False)
        network_saliency(
            load_saliency(arguments.network, network),
            entries,
            writer,
            size=settings.saliency.size,
            device=device,
        )


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, index="index.csv", out="saliency.h5")
    arguments_parser.add_argument("--network", type=Path, help="network.pt, for source: network")
    command.run(main, arguments_parser)
