"""Write the report of a run, one HTML file, and the picture of the README."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from getam_core.data import Entry, of_split, read_index
from getam_core.evaluation import read_mask, read_mask_index
from getam_core.files import atomic_path, read_json
from getam_core.provenance import provenance
from getam_core.report import (
    class_bars,
    confusion_figure,
    cost_table,
    extremes,
    gallery,
    hero,
    origin_table,
    read_confusion,
    read_costs,
    read_metrics,
    read_mious,
    read_studies,
    seed_curves,
    training_curves,
    with_mious,
    worth_showing,
    write_report,
)
from workflow_scripts import command
from workflow_scripts.examples import MaskOf, training_examples, validation_examples

TRAINING, VALIDATION, HERO = 8, 8, 4
EXTREMES = 2  # how many best, median and worst images each


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
        **ranked(arguments, entries, mask_of),
        "Confusion": confusion_figure(*read_confusion(arguments.confusion)),
        "Seeds": seed_curves(miou["entries"]),
        "Classes": class_bars(miou["entries"]),
        "Training": training_curves(metrics),
    }
    with atomic_path(arguments.picture) as temporary:
        hero(training[:HERO]).savefig(temporary, dpi=110)
    settings = json.loads(arguments.settings)
    tables = {
        "Costs": cost_table(
            read_costs(
                arguments.benchmarks.glob("*.tsv"),
                sessions=arguments.benchmarks.with_name("state").glob("*.tsv"),
            )
        ),
        "Origin": origin_table(trained_by(arguments.metrics), provenance(), settings),
    }
    studies = read_studies(arguments.ablation)
    write_report(
        arguments.out,
        arguments.run,
        miou,
        figures,
        metrics,
        settings,
        studies=studies,
        tables=tables,
    )


def ranked(
    arguments: argparse.Namespace, entries: list[Entry], mask_of: MaskOf
) -> dict[str, Figure]:
    """Galleries of the best, median and worst images, by pseudo labels and by predictions."""
    by_id = {entry.image_id: entry for entry in entries}
    figures = {}
    titles = {
        "Pseudo labels by mIoU": training_examples,
        "Predictions by mIoU": validation_examples,
    }
    for (title, examples), path in zip(titles.items(), arguments.mious, strict=False):
        mious = read_mious(path)
        chosen = extremes(mious, EXTREMES)
        shown = examples(arguments, [by_id[image_id] for image_id in chosen], mask_of)
        figures[title] = gallery(with_mious(shown, chosen, mious))
    return figures


def trained_by(metrics: Path) -> dict[str, Any] | None:
    """The provenance that the training left beside its metrics, if it did."""
    path = metrics.with_name("provenance.json")
    return read_json(path) if path.exists() else None


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        miou="miou.json",
        metrics="metrics.csv",
        labels="labels.h5",
        confusion="confusion matrix, CSV",
        benchmarks="folder of Snakemake's benchmark files",
        ablation="folder of the comparisons that were asked for; may be missing",
        picture="picture, PNG",
        out="report.html",
    )
    arguments_parser.add_argument("--run", required=True)
    arguments_parser.add_argument("--masks", type=Path, nargs="+", required=True)
    arguments_parser.add_argument("--maps", type=Path, nargs="+", required=True)
    arguments_parser.add_argument("--saliency", type=Path)
    arguments_parser.add_argument("--predictions", type=Path, help="predictions/val.h5, if any")
    arguments_parser.add_argument(
        "--mious", type=Path, nargs="+", required=True, help="of each image: train, and val if any"
    )
    command.run(main, arguments_parser)
