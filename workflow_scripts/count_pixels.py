"""Count the pixels of one shard for a figure: label maps, predictions or maps against the masks."""

import argparse

from getam_core.evaluation import (
    evaluate_label_maps,
    masks_of,
    read_mask_index,
    seed_curve,
    write_counts,
)
from getam_core.stores import open_store
from workflow_scripts import command, shards


def main(arguments: argparse.Namespace) -> None:
    store = open_store(arguments.store)
    entries = shards.entries_of(arguments)
    masks = masks_of(entries, read_mask_index(arguments.masks))
    classes = len(store.classes) + 1
    if store.kind == "maps":
        curve = seed_curve(store, masks, classes)
        write_counts(arguments.out, list(masks), [matrix for _, matrix in curve])
    else:
        matrix, mious = evaluate_label_maps(store, masks, classes)
        write_counts(arguments.out, list(masks), [matrix], mious)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        masks="masks.csv",
        store="labels.h5, predictions.h5 or maps.h5",
        out="counts of the shard, npz",
    )
    shards.add_shard(arguments_parser)
    command.run(main, arguments_parser)
