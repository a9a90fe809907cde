"""Draw what a run made of a few images, without any mask, for runs that have none."""

import argparse
from pathlib import Path

from getam_core.data import of_split, read_index
from getam_core.files import atomic_path
from getam_core.report import gallery, side_by_side, worth_showing
from workflow_scripts import command
from workflow_scripts.examples import training_examples, validation_examples

IMAGES = 6  # of each split


def main(arguments: argparse.Namespace) -> None:
    entries = read_index(arguments.index)
    training = training_examples(arguments, worth_showing(of_split(entries, "train"), IMAGES))
    validation = validation_examples(arguments, worth_showing(of_split(entries, "val"), IMAGES))
    galleries = {"Training images": gallery(training)}
    if validation:
        galleries["Images not trained on"] = gallery(validation)
    with atomic_path(arguments.out) as temporary:
        side_by_side(galleries).savefig(temporary, dpi=110)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        labels="labels.h5",
        out="picture, PNG",
    )
    arguments_parser.add_argument("--maps", type=Path, nargs=1, required=True)
    arguments_parser.add_argument("--saliency", type=Path)
    arguments_parser.add_argument("--predictions", type=Path, help="predictions/val.h5, if any")
    command.run(main, arguments_parser)
