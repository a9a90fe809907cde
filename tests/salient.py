"""A little saliency data set: bright discs on dark noise."""

from pathlib import Path

import cv2
import numpy as np

SIDE = 64


def write_pairs(folder: Path, count: int) -> Path:
    """Write a bright disc on dark noise and its mask, `count` times."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        centre, radius = rng.integers(20, SIDE - 20, 2).tolist(), int(rng.integers(8, 18))
        mask = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), centre, radius, 255, -1)
        noise = rng.integers(0, 110, (SIDE, SIDE, 3), dtype=np.uint8)
        image = np.where(mask[..., None] > 0, noise + 140, noise)
        cv2.imwrite(str(folder / "images" / f"{i:02}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{i:02}.png"), mask)
    return folder
