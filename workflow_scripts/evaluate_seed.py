"""Score one method's maps of the training images against the masks, at every threshold."""

import argparse

from getam_core.data import of_split, read_index
from getam_core.evaluation import (
    THRESHOLDS,
    masks_of,
    read_counts,
    read_mask_index,
    seed_curve,
    seed_entry,
)
from getam_core.files import write_json
from getam_core.stores import open_store
from workflow_scripts import command, shards


def main(arguments: argparse.Namespace) -> None:
    maps = open_store(arguments.maps, "maps")
    entries = of_split(read_index(arguments.index), "train")
    masks = masks_of(entries, read_mask_index(arguments.masks))
    if arguments.counts:
        counts = shards.numbered(arguments.counts, arguments.shards)
        curve = list(zip(THRESHOLDS, read_counts(counts, list(masks))[0], strict=True))
    else:
        curve = seed_curve(maps, masks, len(maps.classes) + 1)
    shown = maps.settings["maps"] | maps.settings.get("getam", {})
    if (supervision := maps.settings.get("supervision", "classes")) != "classes":
        shown["supervision"] = supervision
    write_json(arguments.out, seed_entry("train", arguments.method, curve, maps.classes, shown))


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__, index="index.csv", masks="masks.csv", maps="maps.h5", out="entry, JSON"
    )
    arguments_parser.add_argument("--method", required=True)
    shards.add_counts(arguments_parser)
    command.run(main, arguments_parser)
