"""Saliency maps of the training images, from a trained network or from a folder of maps."""

import argparse
import json
from pathlib import Path

import command

from getam_core.data import of_split, read_index
from getam_core.stores import StoreWriter


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    entries = of_split(read_index(arguments.index), "train")
    header = json.loads(arguments.settings)
    with StoreWriter(arguments.out, "saliency", settings.data.classes, header) as writer:
        if settings.saliency.source == "precomputed":
            from getam_core.saliency import precomputed_saliency

            precomputed_saliency(settings.path(settings.saliency.folder), entries, writer)
            return
        device = command.torch_device(arguments)
        from getam_core.saliency import load_saliency_network, network_saliency

        network = load_saliency_network(arguments.network)
        network_saliency(network, entries, writer, size=settings.saliency.size, device=device)


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, index="index.csv", out="saliency.h5")
    arguments_parser.add_argument("--network", type=Path, help="network.pt, for source: network")
    command.run(main, arguments_parser)
