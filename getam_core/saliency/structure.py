"""The structure measure of a saliency map (Fan et al. 2017, S-measure).

Shapes: H, W pixels.
"""

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)


def structure_measure(saliency: np.ndarray, mask: np.ndarray) -> float:
    """Return 0.5 S_object + 0.5 S_region, at least 0 and at most 1.

    Parameters
    ----------
    saliency : (H, W) ndarray of float
        0..1.
    mask : (H, W) ndarray of bool
        Without foreground the measure is 1 - the map's mean, without background it is the mean.
    """
    share = mask.mean()
    if share in (0, 1):
        return float(saliency.mean() if share else 1 - saliency.mean())
    object_score = share * _likeness(saliency[mask]) + (1 - share) * _likeness(1 - saliency[~mask])
    return max(0.0, 0.5 * object_score + 0.5 * _region_score(saliency, mask))


def _likeness(values: np.ndarray) -> float:
    """How near values are to 1, and how uniform: 2 mean / (mean^2 + 1 + deviation)."""
    mean, deviation = values.mean(), values.std(ddof=min(1, values.size - 1))
    return float(2 * mean / (mean**2 + 1 + deviation + EPSILON))


def _region_score(saliency: np.ndarray, mask: np.ndarray) -> float:
    """Structural similarity of four parts that meet at the mask's centre, weighted by area.

    The centre is rounded to a pixel, which belongs to the upper left part.
    """
    H, W = mask.shape
    row, column = (int(centre) + 1 for centre in np.argwhere(mask).mean(axis=0).round())
    score = 0.0
    for rows in (slice(0, row), slice(row, H)):
        for columns in (slice(0, column), slice(column, W)):
            part, truth = saliency[rows, columns], mask[rows, columns].astype(np.float64)
            score += truth.size / mask.size * _similarity(part, truth)
    return score


def _similarity(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of two parts as wholes: 4 mx my sxy / ((mx^2 + my^2) (sx^2 + sy^2))."""
    if x.size == 0:
        return 0.0
    mean_x, mean_y = x.mean(), y.mean()
    count = x.size - 1 + EPSILON
    variance = ((x - mean_x) ** 2).sum() / count + ((y - mean_y) ** 2).sum() / count
    covariance = ((x - mean_x) * (y - mean_y)).sum() / count
    both = 4 * mean_x * mean_y * covariance
    either = (mean_x**2 + mean_y**2) * variance
    if both != 0:
        return float(both / (either + EPSILON))
    return 1.0 if either == 0 else 0.0
