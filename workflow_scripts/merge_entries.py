"""Collect the entries of a run in miou.json."""

import argparse
import logging
from pathlib import Path

from getam_core.data import class_names, read_index
from getam_core.evaluation import merge_entries
from getam_core.files import read_json, write_json
from getam_core.report import entry_table, markdown
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    name = settings.title or settings.data.layout
    classes = class_names(settings.data.classes, read_index(arguments.index))
    entries = [read_json(path) for path in arguments.entries]
    write_json(arguments.out, merge_entries(arguments.run, name, classes, entries))
    logging.info("%s\n%s", arguments.out, markdown(entry_table(entries)))


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, index="index.csv", out="miou.json")
    arguments_parser.add_argument("--run", required=True, help="name of the run")
    arguments_parser.add_argument("--entries", type=Path, nargs="+", required=True)
    command.run(main, arguments_parser)
