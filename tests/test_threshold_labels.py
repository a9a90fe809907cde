"""AFA's labels by two background thresholds: by hand, and image by image."""

import pytest
import torch

from getam_core.labels import label_image, label_images, scores_over
from getam_core.labels.reliable import agreed_labels, by_image
from getam_core.refine import par

PLAIN = {"method": "thresholds", "refinement": "none"}


def labels_of(maps, class_ids, **changes):
    image = torch.rand(3, *maps.shape[1:], generator=torch.Generator().manual_seed(0))
    return label_image(image, maps, class_ids, None, **PLAIN | changes)


def test_a_class_is_above_the_high_threshold_background_below_the_low_and_unknown_between():
    maps = torch.tensor([[[1.0, 0.5, 0.3, 0.56, 0.34]], [[0.9, 1.0, 0.1, 0.54, 0.36]]])
    found = labels_of(maps, torch.tensor([3, 7]))
    assert found.tolist() == [[3, 7, 0, 3, 255]]
    assert labels_of(maps, torch.tensor([3, 7]), thresholds=(0.2, 0.1)).tolist() == [
        [3, 7, 3, 3, 7]
    ]


def test_maps_of_any_scale_are_divided_by_their_maximum():
    maps = torch.tensor([[[8.0, 4.0, 2.0]]])  # 1, 0.5, 0.25
    assert labels_of(maps, torch.tensor([2])).tolist() == [[2, 255, 0]]
    assert labels_of(torch.zeros(1, 1, 3), torch.tensor([2])).tolist() == [[0, 0, 0]]


def test_an_image_without_classes_is_background():
    assert labels_of(torch.zeros(0, 2, 2), torch.zeros(0, dtype=torch.long)).eq(0).all()


@pytest.mark.parametrize("refinement", ["par", "pamr"])
def test_a_batch_is_labelled_as_its_images_are(refinement):
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(3, 3, 24, 32, generator=generator)
    maps = torch.rand(3, 6, 8, generator=generator)
    owner, ids = torch.tensor([0, 2, 2]), torch.tensor([4, 1, 9])
    options = {"method": "thresholds", "refinement": refinement, "scale": 0.5}
    together = label_images(images, maps, owner, ids, None, **options)
    for b, image in enumerate(images):
        alone = label_image(image, maps[owner == b], ids[owner == b], None, **options)
        assert torch.equal(together[b], alone)
    assert set(together[0].unique().tolist()) == {0, 4, 255} and together[1].eq(0).all()


def test_scores_are_refined_with_their_background_at_half_size():
    generator = torch.Generator().manual_seed(2)
    image, maps = torch.rand(1, 3, 16, 20, generator=generator), torch.rand(1, 2, 4, 5)
    maps = maps / maps.amax((2, 3), keepdim=True)
    half = torch.nn.functional.interpolate(image, (8, 10), mode="area")
    winners = []
    for threshold in (0.55, 0.35):
        background = torch.full((1, 1, 4, 5), threshold)
        refined = par(half, torch.cat([background, maps], 1).softmax(1))
        full = torch.nn.functional.interpolate(refined, (16, 20), mode="bilinear")
        winners.append(full.argmax(1)[0])
    expected = torch.where(winners[0] > 0, torch.tensor([0, 5, 6])[winners[0]], 255)
    expected[(winners[0] == 0) & (winners[1] == 0)] = 0
    options = {"method": "thresholds", "refinement": "par", "scale": 0.5}
    found = label_image(image[0], maps[0], torch.tensor([5, 6]), None, **options)
    assert torch.equal(found.long(), expected)


def test_absent_classes_have_no_score():
    maps = by_image(torch.rand(3, 2, 2), [2, 1])
    scores = scores_over(maps, [2, 1], 0.5)
    assert not scores[1, 2].any()
    torch.testing.assert_close(scores.sum(1), torch.ones(2, 2, 2))
    labels = agreed_labels(scores, scores, torch.tensor([[3, 4], [5, 0]]))
    assert set(labels[1].unique().tolist()) <= {0, 5}
