"""Joint crops, and image sides that a network accepts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from getam_core.data import random_crop, resize_to_stride
from getam_core.data.geometry import PADDING


def ramp(height: int, width: int) -> np.ndarray:
    """An image whose red is the row and whose green is the column, so pixels can be traced."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, 200)], axis=-1).astype(np.uint8)


def crop(image, size, scale_range, seed=0):
    saliency = image[..., 1].copy()
    return random_crop(image, saliency, size, scale_range, np.random.default_rng(seed))


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    size=st.integers(1, 40),
    long_side=st.integers(1, 80),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_image_gives_a_full_crop_with_its_padding_marked(height, width, size, long_side, seed):
    image, saliency, valid = crop(ramp(height, width), size, (long_side, long_side + 5), seed)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert saliency.shape == valid.shape == (size, size)
    assert (image[~valid] == PADDING).all() and not saliency[~valid].any()
    # Blue is constant over the image, so every valid pixel shows it.
    assert (image[valid][:, 2] == 200).all()
    rows, columns = valid.any(1).sum(), valid.any(0).sum()
    assert valid.sum() == rows * columns > 0


@pytest.mark.parametrize("seed", range(6))
def test_saliency_moves_with_the_image(seed):
    image, saliency, valid = crop(ramp(50, 70), 32, (20, 120), seed)
    np.testing.assert_allclose(saliency[valid], image[valid][:, 1], atol=1)


@pytest.mark.parametrize("seed", range(6))
def test_labels_move_with_the_image_and_are_never_mixed(seed):
    source, rng = ramp(50, 70), np.random.default_rng(seed)
    halves = np.where(source[..., 1] < 35, 3, 9).astype(np.uint8)
    image, labels, valid = random_crop(source, halves, 32, (20, 120), rng, labels=True)
    assert (labels[~valid] == 255).all() and set(labels[valid].tolist()) <= {3, 9}
    clear = valid & (abs(image[..., 1].astype(int) - 34.5) > 4)  # colours mix at the border
    np.testing.assert_array_equal(labels[clear], np.where(image[..., 1] < 35, 3, 9)[clear])


def test_without_scaling_a_crop_is_a_window_of_the_image_or_of_its_mirror():
    source = ramp(40, 60)
    seen = set()
    for seed in range(20):
        image, _, valid = crop(source, 24, (60, 60), seed)
        assert valid.all()
        step = int(image[0, 1, 1]) - int(image[0, 0, 1])
        row, column = int(image[0, 0, 0]), int(image[0, :, 1].min())
        np.testing.assert_array_equal(
            image[:, ::step], source[row : row + 24, column : column + 24]
        )
        seen.add((step, row, column))
    assert {step for step, _, _ in seen} == {-1, 1}
    assert len(seen) > 15


def test_a_smaller_image_is_kept_whole_and_placed_at_random():
    starts = set()
    for seed in range(10):
        image, _, valid = crop(ramp(10, 20), 32, (20, 20), seed)
        assert valid.sum() == 10 * 20
        assert set(image[valid][:, 0]) == set(range(10))
        starts.add((int(valid.any(1).argmax()), int(valid.any(0).argmax())))
    assert len(starts) > 5


def test_the_long_side_covers_its_range_with_both_ends():
    sides = {int(crop(ramp(30, 9), 40, (10, 13), seed)[2].any(1).sum()) for seed in range(60)}
    assert sides == {10, 11, 12, 13}


def test_a_crop_needs_no_saliency():
    image, saliency, _ = random_crop(ramp(9, 9), None, 4, (9, 9), np.random.default_rng(0))
    assert saliency is None and image.shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("shape", "long_side", "stride", "expected"),
    [
        ((375, 500), 320, 16, (240, 320)),
        ((500, 333), 480, 32, (480, 320)),
        ((375, 500), None, 16, (368, 496)),
        ((3, 500), 320, 32, (32, 320)),
        ((100, 100), 250, 16, (256, 256)),
    ],
)
def test_sides_become_multiples_of_the_stride(shape, long_side, stride, expected):
    image = np.zeros((*shape, 3), np.uint8)
    assert resize_to_stride(image, long_side, stride).shape == (*expected, 3)


def test_an_image_that_fits_is_not_touched():
    image = ramp(32, 48)
    assert resize_to_stride(image, None, 16) is image
