"""Write the report of a run, one HTML file, and the picture of the README."""

import argparse
import json
from pathlib import Path

import numpy as np

from getam_core.data import Entry, of_split, read_index
from getam_core.evaluation import read_mask, read_mask_index
from getam_core.files import atomic_path, read_json
from getam_core.report import (
    class_bars,
    gallery,
    hero,
    read_metrics,
    seed_curves,
    training_curves,
    worth_showing,
    write_report,
)
from workflow_scripts import command
from workflow_scripts.examples import training_examples, validation_examples

TRAINING, VALIDATION, HERO = 8, 8, 4


def main(arguments: argparse.Namespace) -> None:
    miou, metrics = read_json(arguments.miou), read_metrics(arguments.metrics)
    entries = read_index(arguments.index)
    masks = {k: v for path in arguments.masks for k, v in read_mask_index(path).items()}

    def mask_of(entry: Entry) -> np.ndarray:
        return read_mask(masks[entry.image_id])

    shown = worth_showing(of_split(entries, "train"), TRAINING)
    training = training_examples(arguments, shown, mask_of)
    shown = worth_showing(of_split(entries, "val"), VALIDATION)
    validation = validation_examples(arguments, shown, mask_of)
    figures = {
        "Training images": gallery(training),
        **({"Validation images": gallery(validation)} if validation else {}),
        "Seeds": seed_curves(miou["entries"]),
        "Classes": class_bars(miou["entries"]),
        "Training": training_curves(metrics),
    }
    with atomic_path(arguments.picture) as temporary:
        hero(training[:HERO]).savefig(temporary, dpi=110)
    settings = json.loads(arguments.settings)
    write_report(arguments.out, arguments.run, miou, figures, metrics, settings)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        miou="miou.json",
        metrics="metrics.csv",
        labels="labels.h5",
        picture="picture, PNG",
        out="report.html",
    )
    arguments_parser.add_argument("--run", required=True)
    arguments_parser.add_argument("--masks", type=Path, nargs="+", required=True)
    arguments_parser.add_argument("--maps", type=Path, nargs="+", required=True)
    arguments_parser.add_argument("--saliency", type=Path)
    arguments_parser.add_argument("--predictions", type=Path, help="predictions/val.h5, if any")
    command.run(main, arguments_parser)
