"""Score pseudo labels or predictions of one split against the masks."""

import argparse
from typing import Any

import numpy as np

from getam_core.data import Entry, class_targets, of_split, read_index
from getam_core.evaluation import (
    ConfusionMatrix,
    evaluate_label_maps,
    label_entry,
    masks_of,
    mean_average_precision,
    read_counts,
    read_mask_index,
    retrained_entry,
    write_confusion,
    write_mious,
)
from getam_core.files import write_json
from getam_core.stores import Store, open_store
from workflow_scripts import command, shards


def main(arguments: argparse.Namespace) -> None:
    store = open_store(arguments.labels)
    entries = of_split(read_index(arguments.index), arguments.split)
    masks = masks_of(entries, read_mask_index(arguments.masks))
    if arguments.counts:
        counts = shards.numbered(arguments.counts, arguments.shards)
        (matrix,), mious = read_counts(counts, list(masks))
    else:
        matrix, mious = evaluate_label_maps(store, masks, len(store.classes) + 1)
    entry = described(store, arguments.split, arguments.method, matrix)
    if store.kind == "predictions" and "scores" in store.attributes(entries[0].image_id):
        entry |= class_map(store, entries)
    write_mious(arguments.images, mious)
    write_confusion(arguments.confusion, matrix, store.classes)
    write_json(arguments.out, entry)


def described(store: Store, split: str, method: str, matrix: ConfusionMatrix) -> dict[str, Any]:
    """The entry of pseudo labels, or of the predictions of the trained or retrained network."""
    if "labels" in store.settings:  # those that DeepLabv2 was trained on
        return retrained_entry(split, matrix, store.classes, store.settings)
    what = {"labels": "pseudo_labels", "predictions": "segmentation"}[store.kind]
    stage = "pseudo_labels" if "pseudo_labels" in store.settings else "predict"
    return label_entry(split, what, method, matrix, store.classes, store.settings[stage])


def class_map(store: Store, entries: list[Entry]) -> dict[str, float]:
    """Class mAP in percent, from the scores stored with the predictions, if images have labels."""
    targets = class_targets(entries, store.classes)
    if not targets.any():
        return {}
    scores = np.stack([store.attributes(entry.image_id)["scores"] for entry in entries])
    return {"class_map": round(100 * mean_average_precision(scores, targets), 2)}


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        masks="masks.csv",
        labels="labels.h5",
        images="mIoU of every image, CSV",
        confusion="confusion matrix, CSV",
        out="entry, JSON",
    )
    arguments_parser.add_argument("--split", required=True, choices=("train", "val"))
    arguments_parser.add_argument(
        "--method", default="getam", help="method whose maps the labels were made from"
    )
    shards.add_counts(arguments_parser)
    command.run(main, arguments_parser)
