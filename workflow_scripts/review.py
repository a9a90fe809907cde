"""List the training images whose labels the trained network contradicts, and show the first."""

import argparse
from pathlib import Path

from getam_core.data import of_split, read_index
from getam_core.review import gather, rank, suspects, write_review, write_rows
from getam_core.stores import open_store
from workflow_scripts import command

SHOWN = 50  # on the page


def main(arguments: argparse.Namespace) -> None:
    entries = of_split(read_index(arguments.index), "train")
    labels = open_store(arguments.labels, "labels")
    given = arguments.predictions
    predictions = None if given is None else open_store(given, "predictions")
    evidence = gather(entries, open_store(arguments.maps, "maps"), labels, predictions)
    rows = rank(entries, evidence, labels.classes)
    write_rows(arguments.out, rows)
    shown = suspects(rows[:SHOWN], labels, predictions)
    write_review(arguments.page, arguments.run, shown, labels.classes, len(rows))


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        maps="maps.h5",
        labels="labels.h5",
        page="review.html",
        out="review.csv",
    )
    arguments_parser.add_argument("--run", required=True, help="its name")
    arguments_parser.add_argument("--predictions", type=Path, help="predictions/train.h5, if any")
    command.run(main, arguments_parser)
