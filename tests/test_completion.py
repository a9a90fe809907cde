"""Label completion (Eq. 4 and 5) against the paper's steps, pixel by pixel, and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from getam_core.errors import InputError
from getam_core.labels import complete_labels
from getam_core.labels.completion import _positive_quantiles


def step_by_step(maps, class_ids, saliency, gamma, alpha, conflicts):
    """Section 4.2 in loops; `conflicts=False` is the authors' loop over classes in order."""
    K, H, W = maps.shape
    maps = np.array([m / m.max() if m.max() > 0 else m for m in maps]).reshape(K, H, W)
    limits = [np.quantile(m[m > 0], alpha) if (m > 0).any() else np.inf for m in maps]
    labels = np.zeros((H, W), np.uint8)
    for y in range(H):
        for x in range(W):
            best = max(maps[:, y, x], default=0.0)
            winner = class_ids[int(np.argmax(maps[:, y, x]))] if K else 0
            label = 0 if (1 - best) ** gamma >= best else winner
            if saliency is None:
                labels[y, x] = label
            elif saliency[y, x]:
                labels[y, x] = label or 255
            else:
                claims = [c for c, m, t in zip(class_ids, maps, limits, strict=True) if m[y, x] > t]
                if len(claims) > 1 and conflicts:
                    labels[y, x] = 255
                elif claims:
                    labels[y, x] = min(claims)
    return labels


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    class_ids=st.lists(st.integers(1, 20), max_size=4, unique=True),
    gamma=st.sampled_from([2.0, 8.0, 32.0]),
    alpha=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]),
    conflicts=st.booleans(),
    known=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_equals_the_paper_step_by_step(size, class_ids, gamma, alpha, conflicts, known, seed):
    rng = np.random.default_rng(seed)
    maps = rng.random((len(class_ids), *size))
    maps *= 3 * (rng.random(maps.shape) > 0.4)
    saliency = rng.random(size) > 0.5 if known else None
    labels = complete_labels(
        maps, class_ids, saliency, gamma=gamma, alpha=alpha, conflicts=conflicts
    )
    assert labels.dtype == np.uint8
    expected = step_by_step(maps, class_ids, saliency, gamma, alpha, conflicts)
    np.testing.assert_array_equal(labels, expected)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(0, 3),
    values=st.integers(1, 60),
    share=st.one_of(st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.floats(0, 1)),
    positive=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    ties=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_quantiles_are_those_of_the_positive_values(rows, values, share, positive, ties, seed):
    rng = np.random.default_rng(seed)
    given = rng.integers(1, 5, (rows, values)) / 4 if ties else 1 - rng.random((rows, values))
    given *= rng.random(given.shape) < positive
    known = [row[row > 0] for row in given]
    expected = [np.quantile(row, share) if len(row) else np.inf for row in known]
    found = _positive_quantiles(torch.from_numpy(given), share).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    for quantile, row in zip(found, known, strict=True):  # rounding moves none past a value
        if len(row) and share in (0, 1):
            assert quantile == (row.max() if share else row.min())


def test_a_single_positive_value_is_every_quantile():
    for share in (0.0, 0.3, 0.9, 1.0):
        assert _positive_quantiles(torch.tensor([[0.0, 0.7, 0.0]]), share) == torch.tensor(0.7)


# By hand, alpha 0.5: the positive values of class 7 are 1, 2, 4, 8 (median 3); class 3's are 1, 10.
MAPS = np.array([[[8.0, 4.0, 2.0, 1.0, 0.0]], [[0.0, 10.0, 0.0, 0.0, 1.0]]])
IDS = [7, 3]


def labels_of(saliency, **options):
    saliency = None if saliency is None else np.array([saliency], bool)
    return complete_labels(MAPS, IDS, saliency, alpha=0.5, **options).tolist()[0]


def test_salient_pixels_are_a_class_or_unknown():
    # Normalised: 7 is 1, .5, .25, .125, 0; 3 is 0, 1, 0, 0, .1; (1 - .1)^32 = .034, (1 - 0)^32 = 1.
    assert labels_of([1, 1, 1, 1, 1]) == [7, 3, 7, 7, 3]
    assert labels_of([1, 1, 1, 1, 1], gamma=2.0) == [7, 3, 255, 255, 255]


def test_pixels_outside_saliency_are_background_or_mined():
    assert labels_of([0, 0, 0, 0, 0]) == [7, 255, 0, 0, 0]
    assert labels_of([0, 0, 0, 0, 0], conflicts=False) == [7, 3, 0, 0, 0]


def test_without_saliency_nothing_is_mined_or_unknown():
    assert labels_of(None, gamma=2.0) == [7, 3, 0, 0, 0]


def test_background_wins_a_tie_and_then_the_first_class():
    maps = np.float32([[[1, 0.5, 0.75, 1]], [[0.25, 0, 0.75, 1]]])
    labels = complete_labels(maps, [3, 1], None, gamma=1)  # the background is 0, 0.5, 0.25, 0
    assert labels.tolist() == [[3, 0, 3, 3]]


def test_the_order_of_classes_does_not_matter():
    saliency = np.array([[0, 0, 1, 1, 0]], bool)
    for conflicts in (True, False):
        forward = complete_labels(MAPS, IDS, saliency, alpha=0.5, conflicts=conflicts)
        backward = complete_labels(MAPS[::-1], IDS[::-1], saliency, alpha=0.5, conflicts=conflicts)
        np.testing.assert_array_equal(forward, backward)


def test_maps_of_zeros_and_no_classes_leave_saliency_unknown():
    saliency = np.array([[True, False], [False, True]])
    expected = np.where(saliency, 255, 0)
    for maps, class_ids in ((np.zeros((2, 2, 2)), [1, 2]), (np.zeros((0, 2, 2)), [])):
        np.testing.assert_array_equal(complete_labels(maps, class_ids, saliency), expected)
        np.testing.assert_array_equal(complete_labels(maps, class_ids, None), np.zeros((2, 2)))


def test_tensors_give_the_same_labels_as_arrays_on_their_device():
    rng = np.random.default_rng(0)
    maps, saliency = rng.random((3, 20, 30)).astype(np.float32), rng.random((20, 30)) > 0.5
    expected = complete_labels(maps, [2, 5, 9], saliency, opening=3)
    labels = complete_labels(
        torch.from_numpy(maps), torch.tensor([2, 5, 9]), torch.from_numpy(saliency), opening=3
    )
    assert labels.dtype == torch.uint8
    np.testing.assert_array_equal(labels.numpy(), expected)


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_opening_keeps_what_some_square_covers(side):
    rng = np.random.default_rng(1)
    maps, saliency = rng.random((1, 11, 13)), rng.random((11, 13)) > 0.2
    plain = complete_labels(maps, [4], saliency)
    filled = np.pad(plain != 0, side - 1, constant_values=True)  # objects may leave the image
    kept = np.zeros_like(filled)
    for y in range(filled.shape[0] - side + 1):
        for x in range(filled.shape[1] - side + 1):
            if filled[y : y + side, x : x + side].all():
                kept[y : y + side, x : x + side] = True
    inner = kept[side - 1 : side - 1 + 11, side - 1 : side - 1 + 13]
    opened = complete_labels(maps, [4], saliency, opening=side)
    np.testing.assert_array_equal(opened, np.where(inner, plain, 0))


@pytest.mark.parametrize(
    ("class_ids", "saliency", "message"),
    [
        ([1], np.ones((4, 4), bool), "class_ids"),
        ([1, 2], np.ones((4, 5), bool), "saliency"),
        ([1, 2], np.ones((4, 4), np.uint8), "bool"),
        ([0, 2], np.ones((4, 4), bool), "1 to 254"),
        ([2, 2], np.ones((4, 4), bool), "each once"),
    ],
)
def test_inputs_that_do_not_agree_are_refused(class_ids, saliency, message):
    with pytest.raises(InputError, match=message):
        complete_labels(np.ones((2, 4, 4)), class_ids, saliency)


@pytest.mark.parametrize("options", [{"alpha": 90}, {"alpha": -0.2}, {"gamma": 0.5}])
def test_numbers_outside_their_range_are_refused(options):
    with pytest.raises(InputError, match="0 <= alpha <= 1, gamma >= 1"):
        complete_labels(np.ones((1, 4, 4)), [1], np.zeros((4, 4), bool), **options)


def test_maps_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="NaN"):
        complete_labels(np.full((1, 4, 4), np.nan), [1], None)


def test_maps_and_saliency_may_be_of_either_kind():
    maps, saliency = np.random.default_rng(2).random((2, 6, 5)), np.eye(6, 5, dtype=bool)
    labels = complete_labels(torch.from_numpy(maps), [1, 2], saliency)
    np.testing.assert_array_equal(labels.numpy(), complete_labels(maps, [1, 2], saliency))


def test_alpha_of_one_mines_nothing():
    maps = np.random.default_rng(2).random((3, 15, 11))
    nowhere = np.zeros((15, 11), bool)
    assert not complete_labels(maps, [1, 2, 3], nowhere, alpha=1.0).any()


def test_everything_salient_leaves_no_background():
    maps = np.random.default_rng(3).random((2, 15, 11))
    labels = complete_labels(maps, [1, 2], np.ones((15, 11), bool), gamma=2.0)
    assert set(np.unique(labels)) == {1, 2, 255}


def test_images_of_more_than_2_to_the_24_pixels_are_labelled():
    maps = torch.linspace(0, 1, 4099 * 4099).view(1, 4099, 4099)
    labels = complete_labels(maps, [1], torch.zeros(4099, 4099, dtype=torch.bool), alpha=0.95)
    assert abs(float(labels.float().mean()) - 0.05) < 1e-5
