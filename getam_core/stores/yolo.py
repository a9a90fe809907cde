"""Label maps as YOLO segmentation labels: one text file per image, one polygon per line.

A polygon has no holes: those of a region are filled. Larger regions come first, so that another
class inside a hole is drawn over the filling; background and unknown pixels in a hole are lost. The
outline itself is exact: drawn with `cv2.fillPoly`, it covers the pixels of the region.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import yaml
from tqdm import tqdm

from getam_core.errors import InputError
from getam_core.file_access import writing
from getam_core.files import atomic_path
from getam_core.stores.reader import Store
from getam_core.stores.regions import check_regions, regions

LEAST_POINTS = 3  # of a polygon, for YOLO's readers


def export_yolo(store: Store, folder: Path | str, names: Mapping[str, str] | None = None) -> int:
    """Write label maps or predictions in the form of YOLO segmentation; return how many images.

    `labels/<name>.txt` holds a line for each connected part of a class: `class x1 y1 x2 y2 ...`,
    with classes from 0 and the outline's pixel centres divided by width and height. `data.yaml`
    has the class names and expects the images in `images/`.

    Parameters
    ----------
    store : Store
    folder : Path
    names : mapping of image_id to str, optional
        The images' file names, whose suffix is replaced; None takes the image_ids.

    Raises
    ------
    FileAccessError
        A file cannot be written.
    InputError
        The store holds maps or saliency, which have no classes by pixel, or the names of two images
        differ only in their suffix.
    """
    check_regions(store)
    files = _label_files(store.ids(), names)
    for image_id, file in tqdm(files.items(), desc="export", unit="image"):
        _write(Path(folder) / "labels" / file, "".join(_lines(store[image_id])))
    described = {"train": "images", "val": "images", "names": dict(enumerate(store.classes))}
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True)
    _write(Path(folder) / "data.yaml", text)
    return len(files)


def _label_files(ids: Sequence[str], names: Mapping[str, str] | None) -> dict[str, str]:
    """Return the text file of every image, a path below `labels/`."""
    if names is None:
        return {image_id: f"{image_id}.txt" for image_id in ids}
    files: dict[str, str] = {}
    image_of: dict[str, str] = {}
    for image_id in ids:
        files[image_id] = PurePosixPath(names[image_id]).with_suffix(".txt").as_posix()
        other = image_of.setdefault(files[image_id], image_id)
        if other != image_id:
            raise InputError(
                f"{names[other]} and {names[image_id]} would both be {files[image_id]}; YOLO tells"
                " images apart by their names without suffix: rename one"
            )
    return files


def _lines(label_map: np.ndarray) -> Iterator[str]:
    """Yield a line for every connected part, the largest first."""
    height, width = label_map.shape
    parts = [
        (cv2.contourArea(outline), class_id, outline.reshape(-1, 2))
        for class_id, inside in regions(label_map)
        for outline in _outlines(inside)
    ]
    for _, class_id, outline in sorted(parts, key=lambda part: -part[0]):
        # Centres of pixels: readers that round down find the same pixels.
        points = (np.resize(outline, (max(len(outline), LEAST_POINTS), 2)) + 0.5) / (width, height)
        yield " ".join([str(class_id - 1), *(f"{value:.6f}" for value in points.flat)]) + "\n"


def _outlines(inside: np.ndarray) -> Sequence[np.ndarray]:
    """Return the outer outlines of the connected parts, (points, 1, 2) int32 each, x before y."""
    return cv2.findContours(inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]


def _write(path: Path, text: str) -> None:
    with writing(path), atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
