"""PAMR against its definition, pixel by pixel in double precision."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from getam_core.errors import InputError
from getam_core.refine import pamr

DILATIONS = (1, 2, 4, 8, 12, 24)


def brute_force(image, maps, iterations, dilations):
    """The definition in method.md: image (3, H, W), maps (K, H, W), loops, float64."""
    image, maps = image.astype(np.float64), maps.astype(np.float64)
    _, H, W = image.shape
    neighbours, weights = {}, {}
    for y in range(H):
        for x in range(W):
            places = [
                (min(max(y + d * a, 0), H - 1), min(max(x + d * b, 0), W - 1), (a, b) == (0, 0))
                for d in dilations
                for a in (-1, 0, 1)
                for b in (-1, 0, 1)
            ]
            samples = np.array([image[:, r, c] for r, c, _ in places])
            sigma = samples.std(axis=0, ddof=1)
            around = [(r, c) for r, c, centre in places if not centre]
            distance = [
                (np.abs(image[:, y, x] - image[:, r, c]) / (1e-8 + 0.1 * sigma)).mean()
                for r, c in around
            ]
            similarity = np.exp(-np.array(distance) + min(distance))
            neighbours[y, x], weights[y, x] = around, similarity / similarity.sum()
    for _ in range(iterations):
        smoothed = np.zeros_like(maps)
        for (y, x), around in neighbours.items():
            for (r, c), weight in zip(around, weights[y, x], strict=True):
                smoothed[:, y, x] += weight * maps[:, r, c]
        maps = smoothed
    return maps


def refine(image, maps, iterations=10, dilations=DILATIONS):
    refined = pamr(
        torch.from_numpy(image)[None],
        torch.from_numpy(maps)[None],
        iterations=iterations,
        dilations=dilations,
    )
    return refined[0].numpy()


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
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
    image = rng.random((3, 27, 30), np.float32)
    maps = rng.random((2, 27, 30), np.float32)
    np.testing.assert_allclose(
        refine(image, maps, 10), brute_force(image, maps, 10, DILATIONS), atol=1e-5
    )


def test_equals_the_definition_on_flat_areas_outliers_and_other_dilations():
    rng = np.random.default_rng(1)
    image = np.full((3, 12, 16), 128 / 255, np.float32)
    image[:, :, 9:] = np.array([0.9, 0.1, 0.3], np.float32)[:, None, None]
    image[:, 4, 3] = 1.0
    image[1, 8, 12] += 1 / 255
    maps = rng.random((2, 12, 16), np.float32)
    np.testing.assert_allclose(
        refine(image, maps, 3, (1, 3)), brute_force(image, maps, 3, (1, 3)), atol=1e-5
    )


def test_a_flat_image_averages_the_neighbours_evenly():
    maps = np.zeros((1, 5, 5), np.float32)
    maps[0, 2, 2] = 8.0
    refined = refine(np.full((3, 5, 5), 0.3, np.float32), maps, 1, (1,))
    expected = np.zeros((5, 5), np.float32)
    expected[1:4, 1:4] = 1.0
    expected[2, 2] = 0.0  # a pixel is not its own neighbour
    np.testing.assert_allclose(refined[0], expected, atol=1e-6)


def test_images_of_0_to_255_give_the_same_maps():
    rng = np.random.default_rng(2)
    image = np.round(rng.random((3, 20, 20), np.float32) * 255)
    maps = rng.random((2, 20, 20), np.float32)
    np.testing.assert_allclose(refine(image, maps), refine(image / 255, maps), atol=1e-5)


def test_maps_stay_within_their_range_and_do_not_cross_a_strong_edge():
    image = np.zeros((3, 40, 40), np.float32)
    image[:, :, 20:] = 1.0
    image += np.random.default_rng(3).normal(0, 0.01, image.shape).astype(np.float32)
    maps = np.zeros((1, 40, 40), np.float32)
    maps[:, 10:30, 20:30] = 1.0
    refined = refine(image, maps)[0]
    assert refined.min() >= 0
    assert refined.max() <= 1 + 1e-5
    assert refined[:, :20].max() < 1e-2
    assert refined[:, 20:].mean() > 0.1


def test_patch_maps_are_brought_to_the_image_bilinearly():
    rng = np.random.default_rng(4)
    image, maps = rng.random((3, 24, 32), np.float32), rng.random((2, 3, 4), np.float32)
    enlarged = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[None], (24, 32), mode="bilinear", align_corners=False
    )[0].numpy()
    np.testing.assert_allclose(refine(image, maps, 0), enlarged, atol=1e-6)
    np.testing.assert_allclose(refine(image, maps), refine(image, enlarged), atol=1e-6)


def test_images_of_a_batch_and_classes_are_independent():
    torch.manual_seed(0)
    images, maps = torch.rand(2, 3, 24, 20), torch.rand(2, 3, 6, 5)
    together = pamr(images, maps)
    assert together.shape == (2, 3, 24, 20)
    for b in range(2):
        for k in range(3):
            alone = pamr(images[b : b + 1], maps[b : b + 1, k : k + 1])
            torch.testing.assert_close(together[b : b + 1, k : k + 1], alone)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_type_is_computed_in_float32(dtype):
    torch.manual_seed(0)
    images, maps = torch.rand(1, 3, 20, 20).to(dtype), torch.rand(1, 2, 5, 5).to(dtype)
    refined = pamr(images, maps)
    assert refined.dtype == torch.float32
    torch.testing.assert_close(refined, pamr(images.float(), maps.float()))


def test_inputs_are_left_alone_and_no_graph_is_kept():
    torch.manual_seed(0)
    images, maps = torch.rand(1, 3, 9, 9), torch.rand(1, 1, 9, 9, requires_grad=True)
    before = images.clone(), maps.detach().clone()
    refined = pamr(images, maps)
    unrefined = pamr(images, maps, iterations=0)
    unrefined.zero_()
    assert not refined.requires_grad
    assert torch.equal(images, before[0])
    assert torch.equal(maps.detach(), before[1])


def test_no_class_gives_no_map():
    assert pamr(torch.rand(2, 3, 8, 8), torch.rand(2, 0, 4, 4)).shape == (2, 0, 8, 8)


def test_maps_of_another_batch_are_refused():
    with pytest.raises(InputError, match="one set of maps per image"):
        pamr(torch.rand(2, 3, 8, 8), torch.rand(1, 2, 4, 4))


def test_a_constant_map_stays_constant():
    images = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        pamr(images, torch.full((1, 2, 5, 5), 0.7)), torch.full((1, 2, 20, 30), 0.7)
    )


def test_the_defaults_are_the_published_settings():
    generator = torch.Generator().manual_seed(0)
    images, maps = (torch.rand(1, n, 60, 50, generator=generator) for n in (3, 2))
    published = {"iterations": 10, "dilations": (1, 2, 4, 8, 12, 24)}
    assert torch.equal(pamr(images, maps), pamr(images, maps, **published))


@pytest.mark.parametrize(
    ("channels", "options", "message"),
    [
        (1, {}, r"pamr: .*give \(B, 3, H, W\)"),
        (3, {"dilations": ()}, "at least one"),
        (3, {"dilations": (0, 1)}, "all of them 1 or more"),
        (3, {"iterations": -3}, "iterations of 0 or more"),
    ],
)
def test_what_is_no_image_or_no_neighbourhood_is_refused(channels, options, message):
    with pytest.raises(InputError, match=message):
        pamr(torch.rand(1, channels, 8, 8), torch.rand(1, 2, 4, 4), **options)
