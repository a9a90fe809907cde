"""The structure measure of a saliency map, against its definition and at its extremes."""

import numpy as np
import pytest

from getam_core.saliency import structure_measure


def by_definition(saliency, mask):
    """Fan et al. 2017, term by term."""

    def likeness(values):
        mean = sum(values) / len(values)
        deviation = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
        return 2 * mean / (mean * mean + 1 + deviation)

    H, W = mask.shape
    inside = [saliency[i, j] for i in range(H) for j in range(W) if mask[i, j]]
    outside = [1 - saliency[i, j] for i in range(H) for j in range(W) if not mask[i, j]]
    share = len(inside) / mask.size
    objects = share * likeness(inside) + (1 - share) * likeness(outside)
    ys, xs = np.nonzero(mask)
    row, column = round(ys.mean()) + 1, round(xs.mean()) + 1
    regions = 0.0
    for top, bottom in ((0, row), (row, H)):
        for left, right in ((0, column), (column, W)):
            x, y = saliency[top:bottom, left:right].ravel(), mask[top:bottom, left:right].ravel()
            covariance = np.cov(x, y.astype(float))
            means = x.mean() * y.mean()
            above = 4 * means * covariance[0, 1]
            below = (x.mean() ** 2 + y.mean() ** 2) * (covariance[0, 0] + covariance[1, 1])
            similarity = above / below if above else float(below == 0)
            regions += len(x) / mask.size * similarity
    return max(0, 0.5 * objects + 0.5 * regions)


@pytest.mark.parametrize("seed", range(8))
def test_structure_measure_equals_its_definition(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((17, 23), bool)
    mask[3:11, 5:14] = True
    mask ^= rng.random(mask.shape) < 0.1 * (seed % 3)
    saliency = np.clip(0.6 * mask + 0.4 * rng.random(mask.shape), 0, 1)
    assert structure_measure(saliency, mask) == pytest.approx(by_definition(saliency, mask))


def test_structure_measure_at_its_ends():
    mask = np.zeros((10, 12), bool)
    mask[2:7, 3:9] = True
    assert structure_measure(mask.astype(float), mask) == pytest.approx(1)
    assert structure_measure(1.0 - mask, mask) < 0.05
    saliency = np.full((10, 12), 0.25)
    assert structure_measure(saliency, np.zeros_like(mask)) == pytest.approx(0.75)
    assert structure_measure(saliency, np.ones_like(mask)) == pytest.approx(0.25)
