"""Splits: what their names mean, folders named after them, and a split for data without one."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from getam_core.data.index import Entry
from getam_core.data.names import visible_folders
from getam_core.errors import InputError

TEST = "test"  # a split that many data sets have; nothing here uses it
WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    TEST: (TEST, "testing"),
}


def split_of(word: str, splits: Mapping[str, str]) -> str | None:
    """Return which split a word means.

    Parameters
    ----------
    word : str
        Case does not matter: "Valid".
    splits : mapping of str to str
        Our name of a split to its name in the data set; with {"val": "test"} the word "testing"
        means our split "val".

    Returns
    -------
    str or None
        One of `splits`; "test", which is not used here; None for any other word.
    """
    for ours, name in splits.items():
        if word.strip() == name or _canonical(word) == _canonical(name):
            return ours
    return TEST if _canonical(word) == TEST else None


def _canonical(word: str) -> str:
    plain = word.strip().casefold()
    return next((name for name, words in WORDS.items() if plain in words), f"no split: {plain}")


def split_folders(base: Path, splits: Mapping[str, str], table: str) -> dict[str, Path]:
    """Find one folder per split below `base`; return an empty mapping if it is not split so.

    It is if both splits have a folder, or if the folder of the training images has folders of its
    own or a file `table`, and no folder beside it may be a class.

    Raises
    ------
    InputError
        A split has two folders, or only the training images have one.
    """
    found: defaultdict[str | None, list[Path]] = defaultdict(list)
    for folder in visible_folders(base):
        found[split_of(folder.name, splits)].append(folder)
    train, *other = splits
    if not found[train]:
        return {}
    first = found[train][0]
    divided = bool(visible_folders(first)) or (first / table).is_file()
    if not all(found[name] for name in splits) and (found[None] or not divided):
        return {}
    for name in splits:
        if len(found[name]) > 1:
            both = " and ".join(f"{folder.name}/" for folder in found[name])
            raise InputError(f"data root {base}: {both} could both be split '{name}'; merge them")
    missing = [name for name in other if not found[name]]
    if missing:
        raise InputError(f"data root {base}: {_one_split(first, found[TEST], missing[0])}")
    return {name: found[name][0] for name in splits}


def _one_split(train: Path, tests: Sequence[Path], missing: str) -> str:
    if tests:
        test = tests[0].name
        return (
            f"{train.name}/ and {test}/, but no {missing}/: set data.{missing}: {test} to use"
            f" {test}/"
        )
    return f"{train.name}/, but no {missing}/: give {train}, whose images are then split"


def split_by_name(entries: Sequence[Entry], val_share: float) -> list[Entry]:
    """Put `val_share` of the images into val, the others into train; the same ones every time.

    Images are drawn in the order of the SHA-256 of their ids, until val has its rounded share, at
    least one. An image is skipped if a class would keep no training image. `val_share` is 0..1; the
    split that entries have is ignored.

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
    return hashlib.sha256(os.fsencode(entry.image_id)).digest()  # names on disk need not be UTF-8
