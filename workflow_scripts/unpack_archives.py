"""Unpack the archives of a public data set and count what is in them."""

import argparse
from pathlib import Path

from getam_core.downloads import unpack
from getam_core.downloads.archives import DATA_SETS
from getam_core.files import write_json
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    archives = DATA_SETS[arguments.out.stem]
    for archive, path in zip(archives, arguments.archives, strict=True):
        unpack(archive, path, arguments.out.parent)
    record = {archive.name: {"url": archive.url, "files": archive.holds} for archive in archives}
    write_json(arguments.out, record)


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, out="record of what was unpacked beside it")
    arguments_parser.add_argument("--archives", type=Path, nargs="+", required=True)
    command.run(main, arguments_parser)
