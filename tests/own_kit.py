"""A user's own pictures: little noise images, in folders, with a labels.csv."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from getam_core.data import list_folder
from getam_core.errors import InputError

OWN_SPLITS = {"train": "train", "val": "val"}
# Class names and ids that mean something to matplotlib, HTML, Markdown, a shell or a file system.
ODD_NAMES = ("$a$b", "-rf", "<i>&", "_x_", "back\\slash", "pipe|d", "ünï", "x_1^2", "{input}", "7")


def picture(path: Path, seed: int = 0, size=(12, 16)) -> Path:
    """Write noise of `size` (height, width) as an image file; the suffix gives its format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    assert cv2.imwrite(str(path), noise)
    return path


def write_labels(root: Path, *lines: str, header: str = "image,classes") -> None:
    (root / "labels.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")


def append_label(root: Path, *lines: str) -> None:
    with (root / "labels.csv").open("a", encoding="utf-8") as file:
        file.write("\n".join([*lines, ""]))


def own_folder(root: Path, count: int = 10) -> Path:
    """`count` images with labels.csv: cats and dogs by turns, and both in every fifth image."""
    lines = []
    for i in range(count):
        picture(root / "images" / f"p{i}.jpg", i)
        lines.append(f"p{i}.jpg,{'cat;dog' if i % 5 == 4 else ('cat', 'dog')[i % 2]}")
    write_labels(root, *lines)
    return root


def class_folders(root: Path, count: int = 5, names: Sequence[str] = ("cat", "dog")) -> Path:
    """One folder per class, `count` different images in each."""
    for k, name in enumerate(names):
        for i in range(count):
            image = f"{name}{i}.png".replace("\\", "")  # an id may not have a backslash
            picture(root / name / image, 10 * k + i)
    return root


def report(root, classes=("cat", "dog"), read=list_folder, splits=OWN_SPLITS) -> str:
    """Return the error report of a wrong data set."""
    with pytest.raises(InputError) as raised:
        read(root, splits, classes).checked(classes, workers=1)
    return str(raised.value)
