"""One confusion matrix over a whole set of images, from which every figure is derived.

This is PASCAL VOC's figure; the mean of per-image scores is another one. The state is only sums, so
matrices of shards add up.
"""

from typing import TYPE_CHECKING

import numpy as np

from getam_core.classes import IGNORE
from getam_core.errors import InputError

if TYPE_CHECKING:  # importing it takes longer than many evaluations
    from torch import Tensor


class ConfusionMatrix:
    """Counts of pixels by true and predicted class.

    Parameters
    ----------
    num_classes : int
        Including the background, C + 1.

    Attributes
    ----------
    counts : (C + 1, C + 2) ndarray of int64
        Row: the truth. Column: the prediction; the last one holds unknown pixels (255).
    images : int
        How many images were counted.
    """

    def __init__(self, num_classes: int) -> None:
        assert 1 <= num_classes < IGNORE, num_classes
        self.num_classes = num_classes
        self.counts = np.zeros((num_classes, num_classes + 1), np.int64)
        self.images = 0

    def update(self, prediction: "np.ndarray | Tensor", mask: "np.ndarray | Tensor") -> None:
        """Count one image, or a batch of them.

        Parameters
        ----------
        prediction : ([B,] H, W) array of int
            0..C, or 255 for unknown.
        mask : ([B,] H, W) array of int
            The truth, 0..C; pixels of 255 are ignored.

        Raises
        ------
        InputError
            Shapes differ, or a value is neither a class nor 255.
        """
        prediction, mask = _labels(prediction), _labels(mask)
        if prediction.shape != mask.shape:
            raise InputError(f"prediction {prediction.shape} and mask {mask.shape} differ in shape")
        pair = (mask.astype(np.uint16) << 8) | prediction
        pairs = np.bincount(pair.ravel(), minlength=1 << 16).reshape(256, 256)
        known = self.num_classes
        unknown_class = pairs[known:IGNORE].any() or pairs[:, known:IGNORE].any()
        if unknown_class:
            raise InputError(
                f"labels must be 0..{known - 1} or {IGNORE}; is this another class list?"
            )
        self.counts[:, :-1] += pairs[:known, :known]
        self.counts[:, -1] += pairs[:known, IGNORE]
        self.images += len(mask) if mask.ndim == 3 else 1

    def merge(self, other: "ConfusionMatrix") -> None:
        """Add the counts of a matrix over other images."""
        assert self.num_classes == other.num_classes
        self.counts += other.counts
        self.images += other.images

    def iou(self) -> np.ndarray:
        """Return (C + 1,) intersection over union, 0..1; an unknown pixel counts as missed.

        NaN for a class in neither truth nor prediction.
        """
        return _iou(self.counts[:, :-1], self.counts.sum(axis=1))

    def iou_known(self) -> np.ndarray:
        """Return (C + 1,) intersection over union with unknown pixels left out."""
        known = self.counts[:, :-1]
        return _iou(known, known.sum(axis=1))

    def miou(self) -> float:
        """Mean of `iou` over the classes in truth or prediction; NaN without any pixel."""
        return _mean(self.iou())

    def miou_known(self) -> float:
        """Mean of `iou_known`."""
        return _mean(self.iou_known())

    def coverage(self) -> float:
        """Share of pixels with a known prediction, 0..1; NaN without any pixel."""
        total = self.counts.sum()
        return float(self.counts[:, :-1].sum() / total) if total else float("nan")


def _labels(values: "np.ndarray | Tensor") -> np.ndarray:
    values = np.asarray(values.cpu() if hasattr(values, "cpu") else values)
    if values.dtype != np.uint8:
        if values.size and (values.min() < 0 or values.max() > IGNORE):
            raise InputError(f"labels must be 0..{IGNORE}, found {values.min()}..{values.max()}")
        values = values.astype(np.uint8)
    return values


def _iou(square: np.ndarray, truth: np.ndarray) -> np.ndarray:
    hits = square.diagonal()
    union = truth + square.sum(axis=0) - hits
    return np.where(union > 0, hits / np.maximum(union, 1), np.nan)


def _mean(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")
