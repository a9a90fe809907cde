"""Saliency's loss and scores, against their definitions and by hand."""

import numpy as np
import pytest
import torch

from getam_core.saliency import (
    SaliencyScore,
    structure_loss,
)

# -------------------------------------------------------------------------------------- loss


def loss_by_loops(logits, target, valid, window):
    B, H, W = logits.shape
    half, total = window // 2, 0.0
    for b in range(B):
        weights = entropies = both = either = 0.0
        for y in range(H):
            for x in range(W):
                rows, columns = slice(max(0, y - half), y + half + 1), slice(max(0, x - half), None)
                around = target[b, rows, columns][:, : x + half + 1 - max(0, x - half)].mean()
                weight = (1 + 5 * abs(around - target[b, y, x])) * valid[b, y, x]
                p = 1 / (1 + np.exp(-logits[b, y, x]))
                t = target[b, y, x]
                weights += weight
                entropies -= weight * (t * np.log(p) + (1 - t) * np.log(1 - p))
                both += weight * p * t
                either += weight * (p + t - p * t)
        total += entropies / max(weights, 1) + 1 - (both + 1) / (either + 1)
    return total / B


def test_loss_equals_its_definition():
    rng = np.random.default_rng(0)
    shape = (2, 25, 7)  # a window of 5
    logits = rng.normal(0, 2, shape)
    target, valid = (rng.random(shape) > 0.5).astype(float), rng.random(shape) > 0.2
    loss = structure_loss(torch.tensor(logits), torch.tensor(target), torch.tensor(valid))
    assert loss.item() == pytest.approx(loss_by_loops(logits, target, valid, 5), rel=1e-6)


def test_padding_has_no_influence_and_no_gradient():
    logits = torch.zeros(1, 32, 32, requires_grad=True)
    target, valid = torch.ones(1, 32, 32), torch.ones(1, 32, 32, dtype=torch.bool)
    valid[:, :, 20:] = False
    structure_loss(logits, target, valid).backward()
    assert (logits.grad[:, :, 20:] == 0).all()
    assert (logits.grad[:, :, :20] < 0).all()
    assert structure_loss(logits, target, torch.zeros_like(valid)).item() == 0


# ------------------------------------------------------------------------------------- scores


def test_scores_of_a_small_case_by_hand():
    saliency = np.array([[255, 204], [51, 0]], np.uint8)  # 1, .8, .2, 0
    score = SaliencyScore()
    score.update(saliency, np.array([[True, False], [True, False]]))
    result = score.compute()
    assert result["mae"] == pytest.approx((0 + 0.8 + 0.8 + 0) / 4)
    # Thresholds above .8: P 1, R 1/2, F = 1.3 * .5 / (.3 + .5); up to .2: P 2/3, R 1.
    assert result["max_f"] == pytest.approx(0.65 / 0.8)
    assert result["threshold"] == pytest.approx(205 / 255)


def test_scores_weigh_images_equally_and_no_foreground_counts_zero():
    score = SaliencyScore()
    score.update(np.full((10, 10), 255, np.uint8), np.ones((10, 10), bool))
    score.update(np.zeros((2, 2), np.uint8), np.zeros((2, 2), bool))
    result = score.compute()
    assert (result["mae"], result["max_f"], result["images"]) == (0, pytest.approx(0.5), 2)
