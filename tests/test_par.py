"""PAR against its definition, pixel by pixel in double precision."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from getam_core.errors import InputError
from getam_core.refine import par

DILATIONS = (1, 2, 4, 8, 12, 24)


def softmax(values):
    exponentials = np.exp(values - values.max())
    return exponentials / exponentials.sum()


def brute_force(image, maps, iterations, dilations):
    """AFA's refinement as method.md states it: image (3, H, W), maps (K, H, W), loops, float64."""
    image, maps = image.astype(np.float64), maps.astype(np.float64)
    _, H, W = image.shape
    steps = [(d * a, d * b) for d in dilations for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
    distance = np.array([np.hypot(*step) for step in steps])
    near = 0.01 * softmax(-((distance / (0.3 * distance.std(ddof=1))) ** 2))
    places, weights = {}, {}
    for y in range(H):
        for x in range(W):
            around = [(min(max(y + a, 0), H - 1), min(max(x + b, 0), W - 1)) for a, b in steps]
            samples = np.array([image[:, r, c] for r, c in around])  # (G, 3)
            sigma = samples.std(axis=0, ddof=1)
            relative = (samples - image[:, y, x]) / (0.3 * (1e-8 + sigma))
            places[y, x] = around
            weights[y, x] = softmax(-(relative**2).mean(axis=1)) + near
    for _ in range(iterations):
        smoothed = np.zeros_like(maps)
        for (y, x), around in places.items():
            for (r, c), weight in zip(around, weights[y, x], strict=True):
                smoothed[:, y, x] += weight * maps[:, r, c]
        maps = smoothed
    return maps


def refine(image, maps, iterations=10, dilations=DILATIONS):
    batches = torch.from_numpy(image)[None], torch.from_numpy(maps)[None]
    return par(*batches, iterations=iterations, dilations=dilations)[0].numpy()


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(2, 12),
    width=st.integers(2, 12),
    classes=st.integers(1, 3),
    iterations=st.integers(0, 4),
    seed=st.integers(0, 2**16),
)
def test_equals_the_definition_for_any_size(height, width, classes, iterations, seed):
    rng = np.random.default_rng(seed)
    image = rng.random((3, height, width), np.float32)
    maps = rng.random((classes, height, width), np.float32)
    expected = brute_force(image, maps, iterations, DILATIONS)
    np.testing.assert_allclose(refine(image, maps, iterations), expected, atol=1e-5)


def test_equals_the_definition_when_the_image_is_larger_than_the_largest_dilation():
    rng = np.random.default_rng(0)
    image = rng.random((3, 26, 28), np.float32)
    maps = rng.random((2, 26, 28), np.float32)
    expected = brute_force(image, maps, 10, DILATIONS)
    np.testing.assert_allclose(refine(image, maps), expected, atol=2e-5)


def test_a_pixel_unlike_its_flat_surroundings_takes_their_plain_mean():
    image = np.full((3, 9, 9), 0.5, np.float32)
    image[:, 4, 4] = 0.9
    maps = np.random.default_rng(1).random((1, 9, 9), np.float32)
    refined = refine(image, maps, 1, (1,))
    around = np.delete(maps[0, 3:6, 3:6].ravel(), 4)
    root = np.array([1, 2, 1, 2, 2, 1, 2, 1]) % 2 * (2**0.5 - 1) + 1  # distances of the eight
    near = 0.01 * softmax(-((root / (0.3 * root.std(ddof=1))) ** 2))
    np.testing.assert_allclose(refined[0, 4, 4], around.mean() + near @ around, atol=1e-5)


def test_weights_sum_to_one_and_a_hundredth():
    image = np.random.default_rng(2).random((3, 15, 20), np.float32)
    constant = np.full((1, 15, 20), 0.7, np.float32)
    np.testing.assert_allclose(refine(image, constant, 1), 0.7 * 1.01, rtol=1e-5)
    np.testing.assert_allclose(refine(image, constant, 10), 0.7 * 1.01**10, rtol=1e-5)


def test_images_of_0_to_255_give_the_same_maps():
    rng = np.random.default_rng(3)
    image = np.round(rng.random((3, 20, 20), np.float32) * 255)
    maps = rng.random((2, 5, 4), np.float32)
    np.testing.assert_allclose(refine(image, maps), refine(image / 255, maps), atol=1e-4)


def test_no_class_gives_no_map_and_another_batch_is_refused():
    assert par(torch.rand(2, 3, 8, 8), torch.rand(2, 0, 4, 4)).shape == (2, 0, 8, 8)
    with pytest.raises(InputError, match=r"par: .*one set of maps per image"):
        par(torch.rand(2, 3, 8, 8), torch.rand(1, 2, 4, 4))


def test_the_defaults_are_the_published_settings():
    generator = torch.Generator().manual_seed(0)
    images, maps = (torch.rand(1, n, 60, 50, generator=generator) for n in (3, 2))
    published = {"iterations": 10, "dilations": (1, 2, 4, 8, 12, 24)}
    assert torch.equal(par(images, maps), par(images, maps, **published))


@pytest.mark.parametrize(
    ("channels", "options", "message"),
    [
        (1, {}, r"par: .*give \(B, 3, H, W\)"),
        (3, {"dilations": ()}, "at least one"),
        (3, {"dilations": (0, 1)}, "all of them 1 or more"),
        (3, {"iterations": -3}, "iterations of 0 or more"),
    ],
)
def test_what_is_no_image_or_no_neighbourhood_is_refused(channels, options, message):
    with pytest.raises(InputError, match=message):
        par(torch.rand(1, channels, 8, 8), torch.rand(1, 2, 4, 4), **options)
