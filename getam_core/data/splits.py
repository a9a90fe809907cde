"""A split for data sets that have none."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from getam_core.data.index import Entry


def split_by_name(entries: Sequence[Entry], val_share: float) -> list[Entry]:
    """Put `val_share` of the images into val, the others into train; the same ones every time.

    Images are drawn in the order of the SHA-256 of their ids, until val has its share, rounded, and
    at least one. An image is passed over if a class would keep no training image. `val_share` is
    0..1; the split that entries have is not looked at.

    Returns
    -------
    list of Entry
        In the order of `entries`.
    """
    wanted = max(1, round(val_share * len(entries)))
    left = Counter(name for entry in entries for name in entry.classes)
    chosen: set[str] = set()
    for entry in sorted(entries, key=_drawn):
        if len(chosen) < min(wanted, len(entries) - 1) and all(left[n] > 1 for n in entry.classes):
            chosen.add(entry.image_id)
            left.subtract(entry.classes)
    return [replace(e, split="val" if e.image_id in chosen else "train") for e in entries]


def _drawn(entry: Entry) -> bytes:
    return hashlib.sha256(os.fsencode(entry.image_id)).digest()  # names on disk may be no UTF-8
