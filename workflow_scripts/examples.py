"""Images to show, and what a run made of them: read from its stores, for report and overview."""

import argparse
from collections.abc import Callable

import numpy as np

from getam_core.data import Entry
from getam_core.report import Example, predicted_example, training_example
from getam_core.stores import open_store

MaskOf = Callable[[Entry], np.ndarray | None]


def no_mask(_entry: Entry) -> None:
    """Return no mask, for a run that has none."""


def training_examples(
    arguments: argparse.Namespace, entries: list[Entry], mask_of: MaskOf = no_mask
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
            mask=mask_of(entry),
        )
        for entry in entries
    ]


def validation_examples(
    arguments: argparse.Namespace, entries: list[Entry], mask_of: MaskOf = no_mask
) -> list[Example]:
    """What the trained network predicts on some images that it did not see, if it segments."""
    if arguments.predictions is None:
        return []
    predictions = open_store(arguments.predictions, "predictions")
    return [
        predicted_example(
            entry,
            classes=predictions.classes,
            predictions=predictions,
            mask=mask_of(entry),
        )
        for entry in entries
    ]
