"""A little data set in the layout of the PASCAL VOC kit."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from getam_core.data import Entry, list_voc

CLASSES = ("cat", "dog")
SPLITS = {"train": "train", "val": "val"}


def annotation(*names: str) -> str:
    objects = "".join(f"<object><name>{name}</name></object>" for name in names)
    return f"<annotation>{objects}</annotation>"


def add_image(root: Path, image_id: str, *names: str, size=(24, 32)) -> None:
    image = np.random.default_rng(len(image_id)).integers(0, 256, (*size, 3), np.uint8)
    cv2.imwrite(str(root / "JPEGImages" / f"{image_id}.jpg"), image)
    (root / "Annotations" / f"{image_id}.xml").write_text(annotation(*names))


def write_list(root: Path, name: str, *ids: str) -> None:
    text = "".join(f"{image_id}\n" for image_id in ids)
    (root / "ImageSets" / "Segmentation" / f"{name}.txt").write_text(text)


def entries_of(root: Path, classes: Sequence[str] = CLASSES) -> list[Entry]:
    """List the splits train and val of a data set, and check it without opening its images."""
    return list_voc(root, SPLITS, classes).checked(classes)
