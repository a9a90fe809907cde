"""Label maps as COCO JSON: one run-length encoded region per image and class."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from getam_core.extras import needs
from getam_core.file_access import writing
from getam_core.files import atomic_path
from getam_core.stores.reader import Store
from getam_core.stores.regions import check_regions, regions


def export_coco(store: Store, path: Path | str, names: Mapping[str, str] | None = None) -> int:
    """Write label maps or predictions as one JSON file in COCO's form; return how many images.

    `info`, `licenses`, `categories` (id, name), `annotations` (id, image_id, category_id,
    segmentation as compressed RLE, area, bbox, iscrowd) and `images` (id, file_name, height,
    width): what `pycocotools.coco.COCO` loads. Image ids count from 1 in the order of the
    image_ids; category ids are the class_ids. Unknown pixels are in no region.

    Parameters
    ----------
    store : Store
    path : Path
    names : mapping of image_id to str, optional
        The images' file names; None takes the image_ids.

    Raises
    ------
    FileAccessError
        The file cannot be written.
    InputError
        The store holds maps or saliency, which have no classes by pixel.
    """
    check_regions(store)
    categories = [{"id": k, "name": name} for k, name in enumerate(store.classes, start=1)]
    head = {"info": _info(store), "licenses": [], "categories": categories}
    images: list[dict[str, Any]] = []
    with (
        writing(path),
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        # One annotation at a time: those of 100,000 images are more than memory should hold.
        file.write(json.dumps(head)[:-1] + ',\n"annotations": [')
        for number, annotation in enumerate(_annotations(store, names, images), start=1):
            text = json.dumps({"id": number, **annotation})
            file.write(f"{',' if number > 1 else ''}\n{text}")
        file.write('\n],\n"images": ' + json.dumps(images) + "}\n")
    return len(images)


def _info(store: Store) -> dict[str, Any]:
    made = datetime.fromtimestamp(store.path.stat().st_mtime, UTC)
    return {
        "description": f"{store.kind} of {store.path.name}, made by GETAM from image-level labels",
        "version": "1.0",
        "year": made.year,
        "contributor": "",
        "url": "",
        "date_created": made.strftime("%Y/%m/%d"),
    }


def _annotations(
    store: Store, names: Mapping[str, str] | None, images: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield every region without its id; append every image to `images`."""
    for number, image_id in enumerate(tqdm(store.ids(), desc="export", unit="image"), start=1):
        label_map = store[image_id]
        height, width = label_map.shape
        name = image_id if names is None else names[image_id]
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        for class_id, inside in regions(label_map):
            yield {"image_id": number, "category_id": class_id, **region(inside)}


def region(inside: np.ndarray) -> dict[str, Any]:
    """Return segmentation, area, bbox and iscrowd of a bool (H, W) region, as COCO has them."""
    with needs("coco", "COCO's JSON"):
        from pycocotools import mask as rle
    encoded = rle.encode(np.asfortranarray(inside, dtype=np.uint8))
    return {
        "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode("ascii")},
        "area": int(rle.area(encoded)),
        "bbox": [int(value) for value in rle.toBbox(encoded)],
        "iscrowd": 0,
    }
