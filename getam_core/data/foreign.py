"""Formats of other tools that are not read here: their names, and what to do instead."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from getam_core.data.names import is_image, is_visible, visible_folders
from getam_core.errors import InputError

YOLO_LINE = re.compile(r"\d+(\s+-?[\d.eE-]+){4,}\s*$")
NOT_CLASSES = ("annotations", "images", "labels")  # folders of tools, never classes


def check_form(folder: Path, base: Path, splits: Mapping[str, Path]) -> None:
    """Refuse a folder in another tool's format, unless it has folders of two classes or more.

    Parameters
    ----------
    folder, base : Path
        The data set, and where its images lie.
    splits : mapping of str to Path
        Its folders of splits, if it has them.

    Raises
    ------
    InputError
        The message names what was found.
    """
    roots = list(splits.values()) or [base]
    inner = [path.name for root in roots for path in visible_folders(root)]
    if len(set(inner)) > 1 and not {name.casefold() for name in inner} & set(NOT_CLASSES):
        return
    form = next(_forms(folder), None)
    if form is not None:
        raise InputError(f"data root {folder}: {form}")
    flat = next((root for root in splits.values() if not visible_folders(root)), None)
    if flat is not None:
        raise InputError(
            f"data root {folder}: {flat.name}/ has images, but no folders of classes and no table:"
            " write a labels.csv (image,classes,split)"
        )


def _forms(folder: Path) -> Iterator[str]:
    for path in _files(folder, depth=3):
        name = path.relative_to(folder)
        beside = path.suffix in (".xml", ".json") and _image_beside(path)
        if path.suffix == ".xlsx":
            yield f"{name}: an Excel workbook; save it as labels.csv (CSV, UTF-8) in {folder}"
        elif path.name.endswith("coco.json") or path.name.startswith("instances_"):
            yield f"a COCO file ({name}): data.layout: coco reads it"
        elif path.suffix == ".txt" and path.parent.name == "labels" and _is_yolo(path):
            yield (
                f"YOLO's labels ({name}) are not read: export the data set as COCO"
                " (data.layout: coco), or write a labels.csv (image,classes)"
            )
        elif path.suffix == ".xml" and beside:
            yield (
                f"VOC annotations ({name}) beside the images: export the data set as COCO"
                " (data.layout: coco), or put it into the devkit's folders (data.layout: voc)"
            )
        elif path.suffix == ".json" and beside:
            yield (
                f"LabelMe's files ({name}) are not read: convert them to COCO"
                " (data.layout: coco), or write a labels.csv (image,classes)"
            )


def _files(folder: Path, depth: int) -> Iterator[Path]:
    there = sorted(path for path in folder.iterdir() if is_visible(path.name))
    yield from (path for path in there if path.is_file())
    for path in there:
        if depth > 1 and path.is_dir():
            yield from _files(path, depth - 1)


def _image_beside(path: Path) -> bool:
    return any(is_image(other) for other in path.parent.glob(f"{_literal(path.stem)}.*"))


def _literal(stem: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", stem)


def _is_yolo(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return YOLO_LINE.match(file.readline()) is not None
