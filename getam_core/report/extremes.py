"""The best, median and worst images of a split, by the mIoU of each."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from getam_core.report.pictures import Example

WORDS = ("best", "median", "worst")


def read_mious(path: Path | str) -> dict[str, float]:
    """Read evaluation/images_*.csv: image_id to mIoU in percent, without images that have none."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {row["image_id"]: float(row["miou"]) for row in rows if row["miou"]}


def extremes(mious: Mapping[str, float], count: int) -> dict[str, str]:
    """Choose images from the top, the middle and the bottom, best first, each at most once.

    Parameters
    ----------
    mious : mapping of str to float
        image_id to mIoU.
    count : int
        How many of each kind; fewer if there are too few images.

    Returns
    -------
    dict of str to str
        image_id to what it is: `best`, `median` or `worst`.
    """
    ordered = sorted(mious, key=mious.__getitem__, reverse=True)
    count = min(count, len(ordered) // len(WORDS))
    middle = (len(ordered) - count) // 2
    starts = (0, middle, len(ordered) - count)
    return {
        image_id: word
        for word, start in zip(WORDS, starts, strict=True)
        for image_id in ordered[start : start + count]
    }


def with_mious(
    examples: Sequence[Example], chosen: Mapping[str, str], mious: Mapping[str, float]
) -> list[Example]:
    """Put before each name whether the image is best, median or worst, and its mIoU."""
    return [replace(e, name=f"{chosen[e.name]}, {mious[e.name]:.0f} %: {e.name}") for e in examples]
