"""Label maps as COCO JSON: one run-length encoded region an image and class."""

from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle
from tqdm import tqdm

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.errors import InputError
from getam_core.files import write_json
from getam_core.stores.reader import Store


def export_coco(store: Store, path: Path | str) -> int:
    """Write label maps or predictions as one JSON file in COCO's form; return how many images.

    `images` (id, file_name, height, width), `categories` (id, name) and `annotations` (id,
    image_id, category_id, segmentation as compressed RLE, area, bbox, iscrowd): what
    `pycocotools.coco.COCO` loads. Image ids count from 1 in the order of the image_ids, which are
    the file names; category ids are the class_ids. Unknown pixels are in no region.

    Raises
    ------
    InputError
        The store holds maps or saliency, which have no classes by pixel.
    """
    if store.kind not in ("labels", "predictions"):
        raise InputError(
            f"{store.path}: {store.kind} have no regions; export labels or predictions as JSON"
        )
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image_id in enumerate(tqdm(store.ids(), desc="export", unit="image"), start=1):
        label_map = store[image_id]
        height, width = label_map.shape
        images.append({"id": number, "file_name": image_id, "height": height, "width": width})
        for class_id in np.unique(label_map):
            if class_id not in (BACKGROUND, IGNORE):
                region = _region(label_map == class_id)
                ids = {"id": len(annotations) + 1, "image_id": number, "category_id": int(class_id)}
                annotations.append(ids | region)
    categories = [{"id": k, "name": name} for k, name in enumerate(store.classes, start=1)]
    document = {"images": images, "categories": categories, "annotations": annotations}
    write_json(path, document)
    return len(images)


def _region(inside: np.ndarray) -> dict[str, Any]:
    encoded = rle.encode(np.asfortranarray(inside, dtype=np.uint8))
    return {
        "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode("ascii")},
        "area": int(rle.area(encoded)),
        "bbox": [int(value) for value in rle.toBbox(encoded)],
        "iscrowd": 0,
    }
