"""Training samples loaded by one process: decoded and resized, or from memory and resized."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from benchmarks.timing import compare, table
from getam_core.data import Entry
from getam_core.data.training_set import TrainingSet
from getam_core.stores import StoreWriter

IMAGES, SIZE = 100, (375, 500)  # as those of PASCAL VOC
CROP, SCALE_RANGE = 256, (230, 292)  # config/voc.yaml


def made_images(folder: Path) -> list[Entry]:
    """Write JPEG images of blurred patches and grain, and their saliency."""
    rng = np.random.default_rng(0)
    entries = []
    with StoreWriter(folder / "saliency.h5", "saliency", ("a",), {}) as saliency:
        for i in range(IMAGES):
            coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.float32)
            image = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
            image += rng.normal(0, 8, image.shape)
            image = image.clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{i}.jpg"), image)
            saliency.write(f"{i}", np.ascontiguousarray(image[..., 0]))
            entries.append(Entry(f"{i}", folder / f"{i}.jpg", "train", ("a",)))
    return entries


def print_table(rounds: int) -> None:
    """Print the table; takes some seconds."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        make = partial(TrainingSet, made_images(folder), ("a",), CROP, SCALE_RANGE, 0)
        saliency = folder / "saliency.h5"
        forms = {"decoded": make(saliency, cache_bytes=0), "from memory": make(saliency)}
        work = {name: partial(_read_all, samples) for name, samples in forms.items()}
        work["from memory"]()
        spent, _ = compare(work, rounds)
    print(f"\n## loader: crops of {CROP} px of images of {SIZE[1]} x {SIZE[0]} px, one process\n")
    rows = [[form, f"{IMAGES / seconds:.0f}"] for form, seconds in spent.items()]
    print(table(["samples", "images/s"], rows))


def _read_all(samples: TrainingSet) -> None:
    for i in range(len(samples)):
        samples[i]
