"""Saliency maps of one shard of a split; resumes where it was killed."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from getam_core.data import Entry, class_names, of_split, read_index
from getam_core.errors import InputError
from getam_core.files import digest
from getam_core.saliency import (
    load_saliency,
    network_saliency,
    precomputed_saliency,
    rembg_saliency,
)
from getam_core.saliency.providers import Provider
from getam_core.settings import Settings
from getam_core.stores import StoreWriter, write_in_parts
from workflow_scripts import command, shards
from workflow_scripts.saliency_network import build_saliency_network


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    index = read_index(arguments.index)
    listed, classes = of_split(index, arguments.split), class_names(settings.data.classes, index)
    entries = shards.shard_of(listed, arguments)
    provide = provider_of(arguments, settings, listed)

    def write(writer: StoreWriter, chosen: slice) -> None:
        provide(entries[chosen], writer)

    header = json.loads(arguments.settings)
    if arguments.network is not None:
        header["network"] = digest(arguments.network)
    ids = [entry.image_id for entry in entries]
    write_in_parts(arguments.out, "saliency", classes, header, ids, write, state=arguments.state)


def provider_of(
    arguments: argparse.Namespace, settings: Settings, listed: Sequence[Entry]
) -> Provider:
    """Return the function that writes the saliency of some entries, as the settings ask."""
    saliency = settings.saliency
    if saliency.source == "none":
        raise InputError("saliency.source: none makes no maps; choose another source")
    if saliency.source == "precomputed":
        return precomputed_saliency(saliency.folder, listed)  # checks all shards at once
    if saliency.source == "rembg":
        return rembg_saliency(saliency.rembg_model)
    device = command.torch_device(arguments)
    network = load_saliency(
        arguments.network, build_saliency_network(settings, initial_weights=False)
    )
    return lambda entries, writer: network_saliency(
        network, entries, writer, size=saliency.size, device=device
    )


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        state="folder of finished parts, kept when the job fails",
        out="saliency.h5 of the shard",
    )
    shards.add_shard(arguments_parser)
    arguments_parser.add_argument("--network", type=Path, help="network.pt, for source: network")
    command.run(main, arguments_parser)
