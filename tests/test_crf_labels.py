"""Labels on which two CRFs agree, and the CRF as a refinement of maps."""

import numpy as np
import pytest
import torch

from getam_core.errors import InputError
from getam_core.labels import crf_labels, label_image
from getam_core.refine import crf_maps, dense_crf

pytest.importorskip("pydensecrf.densecrf")

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (14, 18, 3), dtype=np.uint8)
MAPS = RNG.random((2, 14, 18)).astype(np.float32) * np.array([5, 0.1], np.float32)[:, None, None]
TENSOR = torch.from_numpy(IMAGE).permute(2, 0, 1) / 255


def probabilities_by_hand(gamma):
    normalised = MAPS / MAPS.max(axis=(1, 2), keepdims=True)
    scores = np.stack([(1 - normalised.max(axis=0)) ** gamma, *normalised])
    return scores / scores.sum(axis=0)


def test_a_background_of_given_strength_takes_part_in_the_crf():
    expected = dense_crf(IMAGE, probabilities_by_hand(8), iterations=3)
    np.testing.assert_allclose(crf_maps(IMAGE, MAPS, gamma=8, iterations=3), expected, atol=1e-6)


def test_labels_are_kept_where_both_crfs_agree():
    strong, weak = (crf_maps(IMAGE, MAPS, gamma=g, iterations=2) for g in (2, 20))
    names = np.array([0, 7, 3])
    expected = np.empty((14, 18), np.uint8)
    for place in np.ndindex(14, 18):
        a, b = (names[p[(slice(None), *place)].argmax()] for p in (strong, weak))
        expected[place] = a if a == b else 255
    labels = crf_labels(IMAGE, MAPS, [7, 3], gammas=(2, 20), iterations=2)
    np.testing.assert_array_equal(labels, expected)
    assert {0, 255} < set(np.unique(labels))


def test_a_stronger_background_on_one_side_leaves_no_other_label():
    same = crf_labels(IMAGE, MAPS, [7, 3], gammas=(8, 8))
    assert 255 not in same
    apart = crf_labels(IMAGE, MAPS, [7, 3], gammas=(1.5, 64))
    np.testing.assert_array_equal(np.isin(apart, [0, 3, 7, 255]), True)
    assert (apart == 255).any()


def test_no_class_is_background_and_a_map_of_zeros_claims_nothing():
    assert (crf_labels(IMAGE, MAPS[:0], []) == 0).all()
    assert (crf_labels(IMAGE, np.zeros_like(MAPS), [7, 3]) == 0).all()


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(InputError, match="one of class_ids each"):
        crf_labels(IMAGE, MAPS, [7])


@pytest.mark.parametrize("refinement", ["none", "par", "crf"])
def test_settings_reach_every_refinement_and_method(refinement):
    maps, ids = torch.from_numpy(MAPS)[:, ::4, ::4], torch.tensor([7, 3])
    options = {"refinement": refinement, "iterations": 2, "gamma": 3.0}
    completed = label_image(TENSOR, maps, ids, None, **options)
    assert completed.shape == (14, 18) and completed.unique().numel() > 1
    half = label_image(TENSOR, maps, ids, None, scale=0.5, **options)
    assert half.shape == (14, 18)
    agreed = label_image(TENSOR, maps, ids, None, method="crf", crf_gammas=(2.0, 20.0), **options)
    assert agreed.dtype == torch.uint8 and agreed.shape == (14, 18)


def test_method_crf_labels_the_refined_maps():
    maps, ids = torch.from_numpy(MAPS), torch.tensor([7, 3])
    labels = label_image(TENSOR, maps, ids, None, refinement="none", method="crf")
    np.testing.assert_array_equal(labels.numpy(), crf_labels(IMAGE, MAPS, [7, 3]))


def test_an_image_without_classes_is_background_by_either_method():
    none = torch.zeros(0, 3, 4)
    for refinement in ("par", "crf", "none"):
        options = {"refinement": refinement, "method": "crf"}
        labels = label_image(TENSOR, none, torch.zeros(0, dtype=torch.long), None, **options)
        assert (labels == 0).all()
