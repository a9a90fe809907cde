"""The dense CRF's wrapper: exact where there is no pairwise term, sensible where there is."""

import sys

import numpy as np
import pytest

from getam_core.errors import InputError
from getam_core.refine import crf_label_map, dense_crf

pytest.importorskip("pydensecrf.densecrf")


def two_halves(height=24, width=32):
    """An image whose right half is white, and the true (2, H, W) probabilities 0.2 / 0.8."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 255
    right = np.where(image[..., 0] > 0, 0.8, 0.2).astype(np.float32)
    return image, np.stack([1 - right, right])


def test_without_pairwise_strength_the_probabilities_come_back():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 10, 14)) + 0.1
    probabilities = scores / scores.sum(axis=0)
    image = rng.integers(0, 256, (10, 14, 3), dtype=np.uint8)
    smoothed = dense_crf(image, probabilities, gaussian=(3, 0), bilateral=(83, 5, 0))
    assert smoothed.dtype == np.float32
    np.testing.assert_allclose(smoothed, probabilities, atol=1e-5)


def test_zero_iterations_give_the_probabilities():
    image, probabilities = two_halves()
    np.testing.assert_allclose(
        dense_crf(image, probabilities, iterations=0), probabilities, atol=1e-5
    )


def test_labels_follow_the_image_where_the_probabilities_are_wrong():
    image, probabilities = two_halves()
    truth = probabilities.argmax(axis=0)
    probabilities[:, 5:8, 3:6] = probabilities[::-1, 5:8, 3:6]  # a spot of the other class
    probabilities[:, :, 16:18] = probabilities[::-1, :, 16:18]  # an edge two pixels off
    assert (probabilities.argmax(axis=0) != truth).any()
    smoothed = dense_crf(image, probabilities)
    np.testing.assert_allclose(smoothed.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(smoothed.argmax(axis=0), truth)


def test_the_defaults_are_the_authors_test_setting():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    scores = rng.random((3, 40, 60))
    probabilities = scores / scores.sum(axis=0)
    stated = dense_crf(image, probabilities, iterations=20, gaussian=(3, 3), bilateral=(83, 5, 4))
    np.testing.assert_array_equal(dense_crf(image, probabilities), stated)
    for other in ({"iterations": 10}, {"gaussian": (3, 2)}, {"bilateral": (64, 5, 4)}):
        assert (dense_crf(image, probabilities, **other) != stated).any()


def test_afas_recipe_is_the_published_one():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)
    probabilities = rng.dirichlet(np.ones(3), (24, 30)).transpose(2, 0, 1)
    published = dense_crf(
        image, probabilities, iterations=10, gaussian=(3, 3), bilateral=(64, 5, 4)
    )
    labels = crf_label_map((image, probabilities), "afa")
    np.testing.assert_array_equal(labels, published.argmax(0))
    np.testing.assert_array_equal(
        crf_label_map((image, probabilities)), dense_crf(image, probabilities).argmax(0)
    )


def test_shapes_that_do_not_agree_are_refused():
    image, probabilities = two_halves()
    with pytest.raises(InputError, match="does not agree"):
        dense_crf(image.transpose(1, 0, 2), probabilities)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(InputError, match=r"the dense CRF.*pydensecrf.*getam-core\[crf\]"):
        dense_crf(*two_halves())
