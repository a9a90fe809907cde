"""Seeds: maps alone against masks, for every background threshold in one pass over the set.

Each pixel is reduced to its strongest map and that map's value; a threshold then only moves pixels
between that class and the background. A joint histogram of (value, class, truth) therefore holds
the confusion matrices of all thresholds.
Shapes: K present classes, P pixels, n classes with the background.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.errors import InputError
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.evaluation.masks import read_mask
from getam_core.stores import Store, StoredMaps, read_maps

# Squared gradients make GETAM's maps steep, and a class without a rival on its image scores best
# spread over the whole image: best thresholds go down to thousandths. One grid serves all methods.
THRESHOLDS = tuple(
    float(f"{value:.3g}")
    for value in np.concatenate([np.geomspace(1e-4, 0.1, 31), np.linspace(0.14, 0.9, 20)])
)


def seed_curve(
    store: Store,
    masks: Mapping[str, Path],
    num_classes: int,
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[tuple[float, ConfusionMatrix]]:
    """Evaluate maps as segmentations, for every threshold.

    Each map, divided by its maximum, is resized to the mask (bilinear); a pixel takes the class of
    its strongest map, or the background where that map is below the threshold.

    Parameters
    ----------
    store : Store
        Of kind "maps".
    masks : mapping of image_id to Path
        The images to count.
    num_classes : int
        Including the background, n = C + 1.
    thresholds : sequence of float
        Ascending, 0..1.

    Returns
    -------
    list of (float, ConfusionMatrix)
        In the order of `thresholds`.

    Raises
    ------
    InputError
        Names the image that is missing in the store, damaged, or does not fit its mask.
    """
    limits = np.asarray(thresholds, np.float32)
    assert (np.diff(limits) > 0).all(), thresholds
    histogram = np.zeros((len(limits) + 1, num_classes, num_classes), np.int64)
    for image_id, path in tqdm(masks.items(), desc="evaluate seeds", unit="image"):
        stored, mask = read_maps(store, image_id), read_mask(path)
        try:
            _count(histogram, stored, mask, limits)
        except InputError as error:
            raise InputError(f"{store.path}: image {image_id!r}: {error}") from None
    return list(zip(thresholds, _matrices(histogram, len(masks)), strict=True))


def _count(histogram: np.ndarray, stored: StoredMaps, mask: np.ndarray, limits: np.ndarray) -> None:
    """Add one image to `histogram` (rank, class, truth); rank: how many limits a value reaches."""
    if mask.shape != stored.size:
        raise InputError(
            f"its maps belong to an image of {stored.size}, but its mask is {mask.shape}"
        )
    num_classes = histogram.shape[1]
    class_ids = stored.class_ids
    value, winner = _strongest(stored.maps, mask.shape)
    if not len(class_ids):  # no map: background at every threshold
        class_ids = np.array([BACKGROUND])
    rank = np.searchsorted(limits, value.ravel(), side="right")  # (P,)
    cell = (rank * len(class_ids) + winner.ravel()) * 256 + mask.ravel()
    shape = (len(histogram), len(class_ids), 256)
    counts = np.bincount(cell, minlength=np.prod(shape)).reshape(shape)
    if counts[:, :, num_classes:IGNORE].any() or class_ids.max() >= num_classes:
        raise InputError(f"labels must be 0..{num_classes - 1} or {IGNORE}")
    histogram[:, class_ids] += counts[:, :, :num_classes]


def _strongest(maps: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Resize (K, h, w) maps to `size`; return the highest value and its map, both (H, W)."""
    height, width = size
    value = np.zeros(size, np.float32)
    winner = np.zeros(size, np.int64)
    for k, coarse in enumerate(maps):
        fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        winner[fine > value] = k
        np.maximum(value, fine, out=value)
    return value, winner


def _matrices(histogram: np.ndarray, images: int) -> list[ConfusionMatrix]:
    """Turn (rank, class, truth) counts into one matrix per threshold i: rank > i is the class."""
    below = histogram.cumsum(axis=0)
    matrices = []
    for under in below[:-1]:
        matrix = ConfusionMatrix(histogram.shape[1])
        matrix.counts[:, :-1] = (below[-1] - under).T
        matrix.counts[:, BACKGROUND] += under.sum(axis=0)
        matrix.images = images
        matrices.append(matrix)
    return matrices
