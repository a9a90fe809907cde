"""Activation maps of one shard of a split, by one method; resumes where it was killed."""

import argparse
import json
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from getam_core.activation import METHODS, MapMethod, getam_blocks
from getam_core.data import Entry, class_names, of_split, read_index
from getam_core.files import digest
from getam_core.inference.maps import export_maps
from getam_core.networks import load_network, read_supervision
from getam_core.settings import Settings
from getam_core.stores import StoreWriter, write_in_parts
from workflow_scripts import command, shards
from workflow_scripts.data_set import digest_of_labels


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    index = read_index(arguments.index)
    classes = class_names(settings.data.classes, index)
    listed = of_split(index, arguments.split)
    entries = shards.shard_of(listed, arguments)
    export = partial(
        export_maps,
        method_of(arguments.method, settings),
        load_network(arguments.checkpoint),
        classes=classes,
        size=settings.maps.size,
        affinity=settings.maps.affinity,
        **views_of(arguments.method, settings),
        device=command.torch_device(arguments),
        predicted=predicts(listed),
    )

    def write(writer: StoreWriter, chosen: slice) -> None:
        export(entries[chosen], writer)

    header = json.loads(arguments.settings) | {
        "method": arguments.method,
        "checkpoint": digest(arguments.checkpoint),
        "supervision": read_supervision(arguments.checkpoint),
        "labels": digest_of_labels(listed),
    }
    ids = [entry.image_id for entry in entries]
    write_in_parts(arguments.out, "maps", classes, header, ids, write, state=arguments.state)


def views_of(method: str, settings: Settings) -> dict[str, Any]:
    """Return the views that maps are averaged over; AFA combines its own, see `method_of`."""
    if method == "afa":
        return {"scales": (1.0,), "flip": False}
    return {"scales": settings.maps.scales, "flip": settings.maps.flip}


def method_of(name: str, settings: Settings) -> MapMethod:
    """Return the method with its own settings."""
    own = settings.getam
    if name == "afa":
        return partial(METHODS[name], scales=settings.maps.scales, flip=settings.maps.flip)
    if name == "attention_gradient":
        return partial(METHODS[name], blocks=own.blocks)
    if name != "getam":
        return METHODS[name]
    if own.store_blocks:
        return partial(getam_blocks, blocks=own.blocks, coupling=own.coupling)
    return partial(METHODS[name], **own.model_dump(exclude={"store_blocks"}))


def predicts(entries: Sequence[Entry]) -> bool:
    """Whether classes are those the network predicts: only if no image of the split has any."""
    if any(entry.classes for entry in entries):
        return False
    logging.warning(
        "no image of the split has a class label: using the classes that the network predicts"
    )
    return True


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        checkpoint="checkpoint.pt",
        state="folder of finished parts, kept when the job fails",
        out="maps.h5 of the shard",
    )
    arguments_parser.add_argument("--method", required=True, help="a name in activation.METHODS")
    shards.add_shard(arguments_parser)
    command.run(main, arguments_parser)
