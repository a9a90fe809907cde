"""The index of a run: which images there are, their split, and the classes seen in each."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from getam_core.errors import InputError
from getam_core.files import atomic_path

COLUMNS = ["image_id", "image", "split", "classes"]
SEPARATOR = ";"


@dataclass(frozen=True)
class Entry:
    """One image and its image-level label; it has no field for a mask.

    Attributes
    ----------
    image_id : str
        Unique in the data set.
    image : Path
        Absolute path of the image file.
    split : str
        "train" or "val"; "test" in an index of its own.
    classes : tuple of str
        Names of the foreground classes present; may be empty.
    """

    image_id: str
    image: Path
    split: str
    classes: tuple[str, ...]


def write_index(path: Path | str, entries: Iterable[Entry]) -> None:
    """Write `entries` as CSV: image_id, image (absolute), split, classes (joined by ';')."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for entry in entries:
            assert not any(SEPARATOR in name for name in entry.classes)
            classes = SEPARATOR.join(entry.classes)
            writer.writerow([entry.image_id, entry.image.absolute(), entry.split, classes])


def read_index(path: Path | str) -> list[Entry]:
    """Read what `write_index` wrote; `InputError` if it is missing or another kind of file."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except FileNotFoundError:
        raise InputError(f"{path}: no such index") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None
    if header != COLUMNS:
        raise InputError(f"{path}: the first line must be {','.join(COLUMNS)}")
    return [_entry(path, number, row) for number, row in enumerate(rows, start=2)]


def _entry(path: Path | str, number: int, row: list[str]) -> Entry:
    if len(row) != len(COLUMNS):
        raise InputError(f"{path}, line {number}: {len(row)} columns instead of {len(COLUMNS)}")
    image_id, image, split, classes = row
    return Entry(image_id, Path(image), split, tuple(filter(None, classes.split(SEPARATOR))))


def of_split(entries: Sequence[Entry], split: str) -> list[Entry]:
    """Return the entries of `split` in their order; `InputError` if there are none."""
    chosen = [entry for entry in entries if entry.split == split]
    if not chosen:
        there = ", ".join(sorted({entry.split for entry in entries})) or "nothing"
        raise InputError(f"the index has no image of split '{split}' (it has {there})")
    return chosen


def evenly(entries: Sequence[Entry], count: int) -> list[Entry]:
    """Choose `count` evenly spaced entries, both ends included; all if there are fewer."""
    places = np.linspace(0, len(entries) - 1, min(count, len(entries))).round().astype(int)
    return [entries[place] for place in places]


def class_names(classes: Sequence[str] | None, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return `classes`, or, if None, all that training images show, sorted."""
    if classes is not None:
        return tuple(classes)
    shown = {name for entry in entries if entry.split == "train" for name in entry.classes}
    return tuple(sorted(shown))


def class_targets(entries: Sequence[Entry], classes: Sequence[str]) -> np.ndarray:
    """Return which class is present in which image, (n, C) bool; column k is `classes[k]`."""
    column = {name: k for k, name in enumerate(classes)}
    targets = np.zeros((len(entries), len(classes)), bool)
    for row, entry in enumerate(entries):
        for name in entry.classes:
            if name not in column:
                raise InputError(f"{entry.image_id}: class '{name}' is not one of the run's")
            targets[row, column[name]] = True
    return targets
