"""Pseudo labels of one shard of a split from their stored maps; needs no network and no GPU.

Resumes where it was killed.
"""

import argparse
import json
from pathlib import Path

from getam_core.labels import export_labels
from getam_core.processes import Workers
from getam_core.stores import StoreWriter, open_store, write_in_parts
from workflow_scripts import command, shards


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments).pseudo_labels
    entries = shards.entries_of(arguments)
    maps, saliency = open_store(arguments.maps, "maps"), None
    header = json.loads(arguments.settings) | {"made_from": maps.settings}
    header["maps"] = maps.contents
    if settings.uses_saliency:
        saliency = open_store(arguments.saliency, "saliency")
        header["saliency"] = saliency.contents
    with Workers(arguments.threads) as workers:

        def write(writer: StoreWriter, chosen: slice) -> None:
            options = settings.model_dump(exclude={"saliency"}) | {"workers": workers}
            export_labels(entries[chosen], maps, saliency, writer, **options)

        ids = [entry.image_id for entry in entries]
        options = {"state": arguments.state, "part": command.PART}
        write_in_parts(arguments.out, "labels", maps.classes, header, ids, write, **options)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        maps="maps.h5",
        state="folder of finished parts, kept when the job fails",
        out="labels.h5 of the shard",
    )
    arguments_parser.add_argument("--saliency", type=Path, help="saliency.h5, if labels use it")
    shards.add_shard(arguments_parser)
    command.run(main, arguments_parser)
