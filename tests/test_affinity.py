"""Affinity targets, loss and propagation against their definition, pair by pair in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from getam_core.errors import InputError
from getam_core.refine.affinity import affinity_loss, affinity_targets, cells_of, propagate

GRIDS = {"height": st.integers(1, 5), "width": st.integers(1, 5), "radius": st.integers(0, 4)}


def apart(i, j, width):
    """Return the distance of two cells in rows or columns, whichever is larger."""
    return max(abs(i // width - j // width), abs(i % width - j % width))


def targets_by_definition(cells, radius):
    width = cells.shape[1]
    flat, n = cells.ravel(), cells.size
    expected = np.full((n, n), 255)
    for i in range(n):
        for j in range(n):
            if 255 not in (flat[i], flat[j]) and apart(i, j, width) <= radius:
                expected[i, j] = int(flat[i] == flat[j])
    return expected


def loss_by_definition(affinity, targets, objects=None):
    alike, of_objects, other = [], [], []
    for b, i, j in np.ndindex(*affinity.shape):
        if targets[b, i, j] == 1:
            kind = alike if objects is None or not objects[b, i] else of_objects
            kind.append(1 - affinity[b, i, j])
        elif targets[b, i, j] == 0:
            other.append(affinity[b, i, j])
    means = [sum(each) / len(each) if each else 0 for each in (alike, of_objects, other)]
    same = means[0] if objects is None else (means[0] + means[1]) / 2
    return (same + means[2]) / 2


def propagated_by_definition(affinity, maps, radius):
    classes, height, width = maps.shape
    n = height * width
    moved = np.zeros((classes, n))
    for j in range(n):
        near = [i for i in range(n) if apart(i, j, width) <= radius]
        total = sum(affinity[i, j] ** 2 for i in near)
        for i in near:
            moved[:, j] += maps.reshape(classes, n)[:, i] * affinity[i, j] ** 2 / total
    return moved.reshape(maps.shape)


@settings(max_examples=30, deadline=None)
@given(**GRIDS, seed=st.integers(0, 2**16))
def test_targets_equal_the_definition(height, width, radius, seed):
    cells = np.random.default_rng(seed).choice([0, 1, 2, 255], (height, width)).astype(np.uint8)
    labels = torch.from_numpy(cells.repeat(3, 0).repeat(4, 1))[None]  # 3 x 4 pixels per cell
    found = affinity_targets(labels, (height, width), radius)
    np.testing.assert_array_equal(found[0].numpy(), targets_by_definition(cells, radius))


@settings(max_examples=30, deadline=None)
@given(**GRIDS, seed=st.integers(0, 2**16))
def test_loss_equals_the_definition(height, width, radius, seed):
    rng = np.random.default_rng(seed)
    targets = rng.choice([0, 1, 255], (2, height * width, height * width))
    affinity = rng.random(targets.shape)
    found = affinity_loss(torch.from_numpy(affinity), torch.from_numpy(targets))
    assert found.item() == pytest.approx(loss_by_definition(affinity, targets), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(**GRIDS, seed=st.integers(0, 2**16))
def test_pairs_of_a_class_can_have_a_mean_beside_those_of_background(height, width, radius, seed):
    rng = np.random.default_rng(seed)
    cells = rng.choice([0, 0, 0, 1, 2, 255], (2, height, width)).astype(np.uint8)
    targets = np.stack([targets_by_definition(each, radius) for each in cells])
    affinity = rng.random(targets.shape)
    objects = (cells > 0).reshape(2, -1)
    found = affinity_loss(
        torch.from_numpy(affinity), torch.from_numpy(targets), objects=torch.from_numpy(objects)
    )
    expected = loss_by_definition(affinity, targets, objects)
    assert found.item() == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(**GRIDS, classes=st.integers(0, 3), seed=st.integers(0, 2**16))
def test_propagation_equals_the_definition(height, width, radius, classes, seed):
    rng = np.random.default_rng(seed)
    affinity = rng.uniform(0.1, 1, (2, height * width, height * width))
    maps = rng.random((2, classes, height, width))
    found = propagate(torch.from_numpy(affinity), torch.from_numpy(maps), radius)
    for b in range(2):
        expected = propagated_by_definition(affinity[b], maps[b], radius)
        np.testing.assert_allclose(found[b].numpy(), expected, atol=1e-12)


def test_the_affinity_of_a_label_map_returns_its_segments():
    labels = torch.zeros(1, 6, 8, dtype=torch.uint8)
    labels[:, 1:4, 2:6], labels[:, 4:, 5:] = 1, 2
    perfect = affinity_targets(labels, (6, 8), radius=8)  # the window holds all pairs
    segments = torch.stack([labels == k for k in range(3)], 1).double()
    torch.testing.assert_close(propagate(perfect.double(), segments), segments)
    spots = torch.zeros_like(segments)
    spots[:, 0, 0, 0] = spots[:, 1, 2, 3] = spots[:, 2, 5, 7] = 1  # one cell of each
    spread = propagate(perfect.double(), spots)
    assert torch.equal(spread.argmax(1).byte(), labels)
    assert affinity_loss(perfect.double(), perfect) == 0
    assert affinity_loss(1 - perfect.double(), perfect) == 1


def test_a_loss_without_pairs_is_zero_and_still_has_a_gradient():
    affinity = torch.full((1, 4, 4), 0.3, requires_grad=True)
    loss = affinity_loss(affinity, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss == 0 and not affinity.grad.any()


def test_two_processes_average_to_the_balanced_loss_of_one():
    rng = np.random.default_rng(0)
    cells = torch.from_numpy(rng.choice([0, 0, 1, 255], (2, 4, 5)).astype(np.uint8))
    affinity = torch.from_numpy(rng.random((2, 20, 20)))
    targets, objects = affinity_targets(cells, (4, 5), 2), cells.flatten(1) > 0
    numbers = []
    whole = affinity_loss(affinity, targets, lambda n: numbers.append(n) or n, objects)
    parts = []
    for b in range(2):
        shared = iter(numbers)  # of both images together, as processes add them up
        part = (affinity[b : b + 1], targets[b : b + 1])
        parts.append(affinity_loss(*part, lambda _, s=shared: next(s) / 2, objects[b : b + 1]))
    assert sum(parts).item() / 2 == pytest.approx(whole.item(), abs=1e-12)


def test_a_cell_has_the_label_of_its_centre():
    labels = torch.arange(16, dtype=torch.uint8).repeat(1, 16, 1)
    assert cells_of(labels, (2, 2)).tolist() == [[4, 12, 4, 12]]


def test_affinities_of_another_grid_are_refused():
    with pytest.raises(InputError, match=r"propagate: .*h \* w = N"):
        propagate(torch.rand(1, 9, 9), torch.rand(1, 2, 4, 4))
