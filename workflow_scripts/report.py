"""Write the report of a run, one HTML file, and the picture of the README."""

import argparse
import json
from pathlib import Path

import numpy as np

from getam_core.data import Entry, of_split, read_index
from getam_core.evaluation import read_mask, read_mask_index
from getam_core.files import atomic_path, read_json
from getam_core.report import (
    Example,
    class_bars,
    gallery,
    hero,
    predicted_example,
    read_metrics,
    seed_curves,
    spread,
    training_curves,
    training_example,
    write_report,
)
from getam_core.stores import open_store
from workflow_scripts import command

TRAINING, VALIDATION, HERO = 8, 8, 4


def main(arguments: argparse.Namespace) -> None:
    miou, metrics = read_json(arguments.miou), read_metrics(arguments.metrics)
    entries = read_index(arguments.index)
    masks = {k: v for path in arguments.masks for k, v in read_mask_index(path).items()}
    training = training_examples(arguments, spread(of_split(entries, "train"), TRAINING), masks)
    validation = validation_examples(arguments, spread(of_split(entries, "val"), VALIDATION), masks)
    figures = {
        "Training images": gallery(training),
        "Validation images": gallery(validation),
        "Seeds": seed_curves(miou["entries"]),
        "Classes": class_bars(miou["entries"]),
        "Training": training_curves(metrics),
    }
    with atomic_path(arguments.picture) as temporary:
        hero(training[:HERO]).savefig(temporary, dpi=110)
    settings = json.loads(arguments.settings)
    write_report(arguments.out, arguments.run, miou, figures, metrics, settings)


def training_examples(
    arguments: argparse.Namespace, entries: list[Entry], masks: dict[str, Path]
) -> list[Example]:
    """What a run made of some training images."""
    labels = open_store(arguments.labels, "labels")
    maps = {path.parent.name: open_store(path, "maps") for path in arguments.maps}
    saliency = open_store(arguments.saliency, "saliency") if arguments.saliency else None
    return [
        training_example(
            entry,
            classes=labels.classes,
            maps=maps,
            saliency=saliency,
            labels=labels,
            mask=mask_of(entry, masks),
        )
        for entry in entries
    ]


def validation_examples(
    arguments: argparse.Namespace, entries: list[Entry], masks: dict[str, Path]
) -> list[Example]:
    """What the trained network predicts on some images that it did not see."""
    predictions = open_store(arguments.predictions, "predictions")
    return [
        predicted_example(
            entry,
            classes=predictions.classes,
            predictions=predictions,
            mask=mask_of(entry, masks),
        )
        for entry in entries
    ]


def mask_of(entry: Entry, masks: dict[str, Path]) -> np.ndarray:
    return read_mask(masks[entry.image_id])


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        miou="miou.json",
        metrics="metrics.csv",
        labels="labels.h5",
        predictions="predictions/val.h5",
        picture="picture, PNG",
        out="report.html",
    )
    arguments_parser.add_argument("--run", required=True)
    arguments_parser.add_argument("--masks", type=Path, nargs="+", required=True)
    arguments_parser.add_argument("--maps", type=Path, nargs="+", required=True)
    arguments_parser.add_argument("--saliency", type=Path)
    command.run(main, arguments_parser)
