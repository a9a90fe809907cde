"""A few images whose label maps can be learnt: bright squares, unknown at their edges."""

from pathlib import Path

import cv2
import numpy as np

from getam_core.data import Entry
from getam_core.data.index import write_index
from getam_core.stores import StoreWriter

CLASSES = ("red", "blue")
SIZES = [(40, 48), (48, 40), (36, 52), (44, 44), (30, 60), (41, 47), (48, 48)]
TINY = {
    "num_classes": 3,
    "depth": 18,
    "width": 8,
    "dilations": [1, 2],
    "batch_norm": "trained",
    "crop_size": 33,
}


def scene(i: int) -> tuple[np.ndarray, np.ndarray]:
    """Return RGB image and label map of the i-th scene."""
    rng = np.random.default_rng(i)
    height, width = SIZES[i]
    image = rng.integers(0, 90, (height, width, 3), np.uint8)
    labels = np.zeros((height, width), np.uint8)
    label = 1 + i % 2
    image[8:24, 10:26, 0 if label == 1 else 2] += 150
    labels[7:25, 9:27] = 255
    labels[9:23, 11:25] = label
    return image, labels


def write_labelled(folder: Path, settings: dict | None = None) -> tuple[Path, Path]:
    """Write the images; return the paths of index.csv and labels.h5."""
    entries = []
    with StoreWriter(folder / "labels.h5", "labels", CLASSES, settings or {}) as writer:
        for i in range(len(SIZES)):
            image, labels = scene(i)
            path = folder / f"i{i}.png"
            cv2.imwrite(str(path), image[..., ::-1])
            split = "train" if i < 6 else "val"
            entries.append(Entry(f"i{i}", path, split, (CLASSES[i % 2],)))
            writer.write(f"i{i}", labels)
    write_index(folder / "index.csv", entries)
    return folder / "index.csv", folder / "labels.h5"
