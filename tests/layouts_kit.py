"""One data set rewritten in other layouts, by the plainest means."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as rle

from getam_core.data import Entry

LISTS = ("train", "val")


def image_name(entry: Entry) -> str:
    return f"{entry.image_id}{entry.image.suffix}"


def mask_name(entry: Entry) -> str:
    return f"{entry.image_id}.png"


def to_voc(source: Path, entries: Sequence[Entry], root: Path) -> None:
    """Copy a part of a devkit."""
    for folder, names in {
        "JPEGImages": [image_name(e) for e in entries],
        "Annotations": [f"{e.image_id}.xml" for e in entries],
        "SegmentationClass": [mask_name(e) for e in entries],
    }.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            shutil.copy(source / folder / name, root / folder / name)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    for split in LISTS:
        ids = [e.image_id for e in entries if e.split == split]
        path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("\n".join(ids), encoding="utf-8")


def to_folder(masks: Path, entries: Sequence[Entry], root: Path) -> None:
    """Write images/, masks/ and labels.csv with a split column."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    lines = ["image,split,classes"]
    for entry in entries:
        shutil.copy(entry.image, root / "images")
        shutil.copy(masks / mask_name(entry), root / "masks")
        lines.append(f"{image_name(entry)},{entry.split},{';'.join(reversed(entry.classes))}")
    (root / "labels.csv").write_text("\n".join(lines), encoding="utf-8")


def to_class_folders(masks: Path, entries: Sequence[Entry], root: Path) -> None:
    """Write <split>/<class>/ with a copy for each class of an image, and masks/."""
    (root / "masks").mkdir(parents=True)
    for entry in entries:
        shutil.copy(masks / mask_name(entry), root / "masks")
        for name in entry.classes or ("background",):
            (root / entry.split / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(entry.image, root / entry.split / name)


def to_coco(masks: Path, entries: Sequence[Entry], classes: Sequence[str], root: Path) -> None:
    """Write an instances file per split: a region per class, unknown pixels as a crowd."""
    (root / "annotations").mkdir(parents=True)
    for split in LISTS:
        (root / split).mkdir()
        images, annotations = [], []
        for entry in (e for e in entries if e.split == split):
            shutil.copy(entry.image, root / split)
            mask = np.array(Image.open(masks / mask_name(entry)))
            height, width = mask.shape
            number = 1000 + len(images)
            images.append(
                {"id": number, "file_name": image_name(entry), "height": height, "width": width}
            )
            for name in entry.classes:
                k = classes.index(name) + 1
                annotations.append(region(mask == k, number, 10 * k))
            if entry.classes:
                crowd = 10 * (classes.index(entry.classes[0]) + 1)
                annotations.append(region(mask == 255, number, crowd) | {"iscrowd": 1})
        for k, annotation in enumerate(annotations):
            annotation["id"] = k
        categories = [{"id": 10 * k, "name": name} for k, name in enumerate(classes, start=1)]
        document = {"images": images, "annotations": annotations, "categories": categories}
        path = root / "annotations" / f"instances_{split}.json"
        path.write_text(json.dumps(document), encoding="utf-8")


def region(inside: np.ndarray, image_id: int, category_id: int) -> Mapping[str, object]:
    encoded = rle.encode(np.asfortranarray(inside, dtype=np.uint8))
    counts = {"size": encoded["size"], "counts": encoded["counts"].decode("ascii")}
    ids = {"image_id": image_id, "category_id": category_id}
    return {"segmentation": counts, "area": int(inside.sum()), "iscrowd": 0} | ids
