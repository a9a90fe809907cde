"""Put the shards of a split into one store; their images must follow one another without a gap."""

import argparse
from pathlib import Path

from getam_core.data.index import of_split, read_index
from getam_core.stores import merge_stores
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    entries = of_split(read_index(arguments.index), arguments.split)
    merge_stores(arguments.out, arguments.shards, [entry.image_id for entry in entries])


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, index="index.csv", out="the whole store")
    arguments_parser.add_argument("--split", required=True, choices=("train", "val"))
    arguments_parser.add_argument("--shards", type=Path, nargs="+", required=True)
    command.run(main, arguments_parser)
