import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassJaccardIndex

from getam_core.errors import InputError
from getam_core.evaluation import ConfusionMatrix


def count(prediction, mask, num_classes=3):
    matrix = ConfusionMatrix(num_classes)
    matrix.update(np.array(prediction), np.array(mask))
    return matrix


def draw(seed, num_classes, unknown=False):
    rng = np.random.default_rng(seed)
    values = [*range(num_classes), 255]
    mask = rng.choice(values, (9, 11)).astype(np.uint8)
    prediction = rng.choice(values if unknown else values[:-1], (9, 11)).astype(np.uint8)
    return prediction, mask


def iou_by_pixel(prediction, mask, num_classes):
    """Intersection over union by plain loops; unknown predictions (255) are missed."""
    pairs = [(p, t) for p, t in zip(prediction.flat, mask.flat, strict=True) if t != 255]
    values = []
    for c in range(num_classes):
        both = sum(p == c and t == c for p, t in pairs)
        either = sum(p == c or t == c for p, t in pairs)
        values.append(both / either if either else np.nan)
    return values


def test_iou_of_a_case_done_by_hand():
    matrix = count([[0, 0, 1], [1, 1, 0]], [[0, 0, 0], [1, 1, 1]], num_classes=2)
    np.testing.assert_allclose(matrix.iou(), [2 / 4, 2 / 4])
    assert matrix.miou() == 0.5 and matrix.images == 1


def test_class_absent_from_both_is_nan_and_left_out_of_the_mean():
    matrix = count([[0, 0, 1, 1]], [[0, 0, 1, 1]])
    np.testing.assert_array_equal(matrix.iou(), [1, 1, np.nan])
    assert matrix.miou() == 1


def test_class_only_predicted_counts_as_zero():
    matrix = count([[0, 2]], [[0, 0]])
    np.testing.assert_array_equal(matrix.iou(), [0.5, np.nan, 0])
    assert matrix.miou() == 0.25


def test_ignored_truth_is_left_out():
    matrix = count([[0, 1, 1, 255]], [[0, 1, 255, 255]])
    assert matrix.miou() == 1 and matrix.coverage() == 1


def test_unknown_counts_as_missed_and_is_left_out_of_the_known_score():
    matrix = count([[0, 255, 1, 1]], [[0, 0, 1, 1]])
    np.testing.assert_array_equal(matrix.iou(), [0.5, 1, np.nan])
    assert (matrix.miou(), matrix.miou_known(), matrix.coverage()) == (0.75, 1, 0.75)


def test_class_wholly_unknown_is_zero_and_absent_from_the_known_score():
    matrix = count([[0, 255]], [[0, 1]])
    np.testing.assert_array_equal(matrix.iou(), [1, 0, np.nan])
    np.testing.assert_array_equal(matrix.iou_known(), [1, np.nan, np.nan])


def test_an_empty_matrix_has_no_score():
    matrix = ConfusionMatrix(3)
    assert np.isnan([matrix.miou(), matrix.miou_known(), matrix.coverage()]).all()


@given(seed=st.integers(0, 2**32 - 1), num_classes=st.integers(1, 6), unknown=st.booleans())
def test_iou_agrees_with_counting_pixel_by_pixel(seed, num_classes, unknown):
    prediction, mask = draw(seed, num_classes, unknown)
    matrix = count(prediction, mask, num_classes)
    np.testing.assert_allclose(matrix.iou(), iou_by_pixel(prediction, mask, num_classes))
    known = np.where(prediction == 255, 255, mask)
    np.testing.assert_allclose(matrix.iou_known(), iou_by_pixel(prediction, known, num_classes))
    seen = mask != 255
    if seen.any():
        assert matrix.coverage() == pytest.approx(1 - (prediction[seen] == 255).mean())


def test_miou_agrees_with_torchmetrics_over_a_set():
    matrix = ConfusionMatrix(5)
    reference = MulticlassJaccardIndex(5, ignore_index=255, average="none")
    for seed in range(4):
        prediction, mask = draw(seed, 5)
        matrix.update(prediction, mask)
        reference.update(torch.from_numpy(prediction).long(), torch.from_numpy(mask).long())
    np.testing.assert_allclose(matrix.iou(), reference.compute().numpy(), rtol=1e-6)


def test_merged_shards_equal_the_whole_set():
    whole, merged = ConfusionMatrix(4), ConfusionMatrix(4)
    for seed in range(3):
        pair = draw(seed, 4, unknown=True)
        shard = ConfusionMatrix(4)
        shard.update(*pair)
        whole.update(*pair)
        merged.merge(shard)
    np.testing.assert_array_equal(whole.counts, merged.counts)
    assert whole.images == merged.images == 3


def test_the_set_is_not_the_mean_of_images():
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([[1]]), np.array([[1]]))
    matrix.update(np.array([[0, 0, 0]]), np.array([[1, 1, 1]]))
    assert matrix.iou()[1] == 0.25  # the mean over images would be 0.5


def test_tensors_and_batches_count_like_arrays():
    prediction, mask = draw(0, 4)
    batch = ConfusionMatrix(4)
    batch.update(
        torch.from_numpy(np.stack([prediction] * 2)).long(),
        torch.from_numpy(np.stack([mask] * 2)).long(),
    )
    np.testing.assert_array_equal(batch.counts, 2 * count(prediction, mask, 4).counts)
    assert batch.images == 2


@pytest.mark.parametrize(
    ("prediction", "mask", "message"),
    [
        ([[0, 1]], [[0]], "shape"),
        ([[3]], [[0]], r"0\.\.2 or 255"),
        ([[0]], [[7]], r"0\.\.2 or 255"),
        ([[-1]], [[0]], "found -1"),
        ([[256]], [[0]], "found 256"),
    ],
)
def test_wrong_labels_are_refused_not_wrapped(prediction, mask, message):
    with pytest.raises(InputError, match=message):
        count(prediction, mask)
