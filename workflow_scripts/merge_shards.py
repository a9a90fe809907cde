"""Merge the shards of a split into one store; together they must hold all its images, in order.

If the shards are folders of stores, so is the result.
"""

import argparse
from pathlib import Path

from getam_core.data.index import of_split, read_index
from getam_core.stores import merge_stores
from workflow_scripts import command, shards


def main(arguments: argparse.Namespace) -> None:
    entries = of_split(read_index(arguments.index), arguments.split)
    ids = [entry.image_id for entry in entries]
    first, out = arguments.first, arguments.out
    parts = shards.numbered(first, arguments.shards)
    if not first.is_dir():
        merge_stores(out, parts, ids)
        return
    for name in sorted(path.name for path in first.iterdir()):
        merge_stores(out / name, [part / name for part in parts], ids)


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, index="index.csv", out="the whole store")
    arguments_parser.add_argument("--split", required=True, choices=("train", "val", "test"))
    arguments_parser.add_argument("--first", type=Path, required=True, help="shard 0")
    arguments_parser.add_argument("--shards", type=int, required=True, help="number of shards")
    command.run(main, arguments_parser)
