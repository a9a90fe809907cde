"""How well class scores rank the images: average precision of every class."""

import numpy as np


def average_precision(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the average precision of every class.

    The sum over distinct scores of (gain in recall) * precision, without interpolation; images of
    equal score are taken together.

    Parameters
    ----------
    scores : (n, C) ndarray of float
        Any score that ranks the images: logits or probabilities.
    targets : (n, C) ndarray of bool

    Returns
    -------
    (C,) ndarray of float64
        0..1; NaN for a class without a positive image.
    """
    scores, targets = np.asarray(scores), np.asarray(targets, bool)
    assert scores.shape == targets.shape and scores.ndim == 2, (scores.shape, targets.shape)
    return np.array([_one_class(*column) for column in zip(scores.T, targets.T, strict=True)])


def mean_average_precision(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of `average_precision` over the classes with a positive; NaN without any."""
    values = average_precision(scores, targets)
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")


def _one_class(scores: np.ndarray, targets: np.ndarray) -> float:
    if not targets.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(targets[order])
    last_of_score = np.append(scores[1:] != scores[:-1], True)
    found, taken = hits[last_of_score], np.flatnonzero(last_of_score) + 1
    recall = found / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0) * found / taken))
