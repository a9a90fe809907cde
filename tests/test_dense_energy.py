"""The dense energy against its definition, a double sum over the pixels."""

import numpy as np
import pytest
import torch

from getam_core.training import DenseEnergy
from getam_core.training import dense_energy as module

GENERATOR = torch.Generator().manual_seed(0)


def scene(height=6, width=8, channels=3, batch=2):
    images = torch.rand(batch, 3, height, width, generator=GENERATOR, dtype=torch.float64)
    scores = torch.randn(batch, channels, height, width, generator=GENERATOR, dtype=torch.float64)
    return images, scores, torch.rand(batch, height, width, generator=GENERATOR) > 0.2


def double_sum(image, p, valid, sigma_rgb, sigma_xy):
    """By hand: image (3, H, W) 0..1, p (C, H, W), valid (H, W)."""
    total = 0.0
    where = np.argwhere(valid)
    for i in where:
        for j in where:
            colours = 255 * (image[:, i[0], i[1]] - image[:, j[0], j[1]])
            distance = (colours**2).sum() / sigma_rgb**2 + ((i - j) ** 2).sum() / sigma_xy**2
            alike = (p[:, i[0], i[1]] * p[:, j[0], j[1]]).sum()
            total += np.exp(-distance / 2) * (1 - alike)
    return total


@pytest.mark.parametrize("at_once", [2**24, 20])
def test_it_is_the_double_sum_over_valid_pixels(at_once, monkeypatch):
    monkeypatch.setattr(module, "AFFINITIES", at_once)
    images, scores, valid = scene()
    found = DenseEnergy(sigma_rgb=60, sigma_xy=3, scale=1)(images, scores, valid)
    p = scores.softmax(1)
    wanted = [
        double_sum(*map(np.asarray, one), 60, 3) for one in zip(images, p, valid, strict=True)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_half_the_size_is_the_energy_of_area_means_with_half_the_deviation():
    images, scores, valid = scene()
    valid[:] = True
    found = DenseEnergy(sigma_rgb=60, sigma_xy=6, scale=0.5)(images, scores, valid)
    halves = [
        x.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2)).mean((-1, -3))
        for x in (images, scores.softmax(1))
    ]
    everywhere = torch.ones(2, 3, 4, dtype=torch.bool)
    wanted = [
        double_sum(*map(np.asarray, one), 60, 3) for one in zip(*halves, everywhere, strict=True)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_its_gradient_is_that_of_finite_differences():
    images, scores, valid = scene(height=4, width=4)
    energy = DenseEnergy(sigma_rgb=60, sigma_xy=3, scale=1)
    assert torch.autograd.gradcheck(
        lambda x: energy(images, x, valid), scores.requires_grad_(), rtol=1e-6
    )


def test_one_sure_class_has_no_energy_and_a_split_of_like_pixels_has():
    images, valid = torch.zeros(1, 3, 8, 8), torch.ones(1, 8, 8, dtype=torch.bool)
    one = torch.zeros(1, 2, 8, 8)
    one[:, 0] = 100
    two = one.clone()
    two[..., 4:] = two[..., 4:].flip(1)
    energy = DenseEnergy(scale=1)
    assert energy(images, one, valid) == pytest.approx(0, abs=1e-2)
    contrast = images.clone()
    contrast[..., 4:] = 1
    assert energy(images, two, valid) > 1000 > 10 > energy(contrast, two, valid)


def test_padding_has_no_part_in_it():
    images, scores, valid = scene()
    changed = images.masked_fill(~valid[:, None], 0.5), scores.masked_fill(~valid[:, None], 9.0)
    energy = DenseEnergy(sigma_rgb=60, sigma_xy=3, scale=1)
    torch.testing.assert_close(energy(*changed, valid), energy(images, scores, valid))
