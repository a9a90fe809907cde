"""Pictures that the network sees in tiles: seams do not show, and memory stays bounded."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from getam_core.inference import large
from getam_core.inference.large import Plane, predict_large
from getam_core.inference.prediction import Predictor, ViewPrediction
from getam_core.inference.single_stage import SingleStage
from getam_core.inference.tiles import blended_bands, fade, spans
from getam_core.resizing import resize_tensor
from getam_core.segment import Segmenter


class Local(torch.nn.Module):
    """A network whose every pixel depends on 8 x 8 pixels around it, in cells of 4."""

    stride = 4

    def __init__(self, channels=4):
        super().__init__()
        torch.manual_seed(0)
        self.features = torch.nn.Conv2d(3, 8, 4, stride=4)
        self.mix = torch.nn.Conv2d(8, channels, 3)

    def classify_and_decode(self, images):
        features = torch.nn.functional.pad(self.features(images), [1] * 4, mode="replicate")
        logits = 9 * resize_tensor(self.mix(features), images.shape[-2:])
        return logits[:, 1:].amax((2, 3)), logits


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@given(st.integers(1, 300), st.integers(4, 40), st.data())
def test_tiles_cover_a_side_and_their_weights_sum_to_one(length, side, data):
    overlap = data.draw(st.integers(1, side // 2))
    total = torch.zeros(length)
    for span in spans(length, side, overlap):
        assert span.read.start >= 0 and span.read.stop <= length
        assert span.read.stop - span.read.start == min(side, length)
        assert span.read.start <= span.used.start and span.used.stop <= span.read.stop
        total[span.used] += fade(span, length, overlap)
    torch.testing.assert_close(total, torch.ones(length))


def test_overlapping_tiles_fade_into_each_other():
    values = iter([0.0, 1.0])

    def segment(tile):
        return torch.full((1, 1, *tile.shape[:2]), next(values))

    (band,) = blended_bands(segment, noise(2, 12), side=8, overlap=4)
    expected = [0, 0, 0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1, 1, 1]
    torch.testing.assert_close(band[0, 0, 0], torch.tensor(expected))


def far_from_borders(length, tile, overlap, distance):
    """Return pixels that are far from every tile's borders, except those of the image."""
    far = np.ones(length, bool)
    for span in spans(length, tile, overlap):
        for border in {span.read.start, span.read.stop} - {0, length}:
            far[max(0, border - distance) : border + distance] = False
    return far


def test_labels_by_tiles_are_those_of_the_whole_away_from_the_tiles_borders():
    image = noise(96, 160)
    predictor = SingleStage(Local(), flip=True)
    whole = predictor(image)
    labels, scores = predict_large(predictor, predictor.views(image), image, tile=64)
    rows, columns = (far_from_borders(length, 64, 8, distance=10) for length in image.shape[:2])
    assert rows.sum() > 30 and columns.sum() > 30
    different = labels != whole.label_map()
    assert not different[np.ix_(rows, columns)].any()
    assert 0 < different.mean() < 0.05 and len(np.unique(labels)) > 1
    assert np.abs(scores - whole.scores).max() < 0.5


def test_sizes_are_averaged_by_tiles_too():
    image = noise(96, 128)
    predictor = SingleStage(Local(), sizes=(80, 160), flip=True)
    labels, _ = predict_large(predictor, predictor.views(image), image, tile=64)
    assert (labels != predictor(image).label_map()).mean() < 0.02


@pytest.mark.parametrize("size", [(30, 50), (96, 128), (200, 333)])
def test_rows_of_a_plane_are_those_of_the_logits_resized(size):
    view = noise(96, 128)
    predictor = SingleStage(Local(), flip=False)
    with torch.no_grad():
        logits = predictor.segment(view).logits
        plane = Plane(predictor, view, size, tile=128)
        rows = [plane.rows(start, min(start + 7, size[0])) for start in range(0, size[0], 7)]
    torch.testing.assert_close(torch.cat(rows, dim=-2), resize_tensor(logits, size))


def test_a_large_picture_whose_views_fit_is_as_the_predictor_makes_it():
    image = noise(300, 400)
    segmenter = Segmenter(SingleStage(Local(), sizes=(64,)), ("a", "b", "c"), tile=64)
    made, whole = segmenter(image), segmenter.predictor(image)
    assert made.probabilities.shape == (4, 300, 400)
    np.testing.assert_array_equal(made.probabilities, whole.probabilities)
    np.testing.assert_array_equal(made.labels, whole.label_map())


@pytest.mark.parametrize(("crf", "limit"), [(None, "MOST_BYTES"), ("getam", "MOST_BYTES_CRF")])
def test_probabilities_that_are_too_large_never_exist(crf, limit, monkeypatch):
    image = noise(30, 40)
    segmenter = Segmenter(SingleStage(Local(), sizes=(64,)), ("a", "b", "c"), tile=64, crf=crf)
    monkeypatch.setattr(large, limit, 4 * 4 * 30 * 40)
    assert segmenter(image).probabilities.shape == (4, 30, 40)
    monkeypatch.setattr(large, limit, 4 * 4 * 30 * 40 - 1)
    assert segmenter(image).probabilities is None


def test_a_view_that_fits_is_segmented_whole_where_its_probabilities_do_not(monkeypatch):
    image = noise(300, 400)
    monkeypatch.setattr(large, "MOST_BYTES", 0)
    segmenter = Segmenter(SingleStage(Local(), sizes=(64,)), ("a", "b", "c"), tile=64)
    made = segmenter(image)
    assert made.probabilities is None
    whole = segmenter.predictor(image)
    assert (made.labels != whole.label_map()).mean() < 1e-4
    np.testing.assert_allclose(made.scores, torch.from_numpy(whole.scores).sigmoid(), rtol=1e-6)


class Stripes(Predictor):
    """Bright pixels are of class 1, without a network."""

    step, extra = 8, 0

    def views(self, image):
        return [image]

    def segment(self, view):
        bright = torch.from_numpy(view[..., 0] / 255).float()
        return ViewPrediction(torch.stack([4 - 8 * bright, 8 * bright - 4])[None], view.shape[:2])

    def forward(self, pixels):
        raise NotImplementedError

    @staticmethod
    def enlarged(logits, size):
        return logits

    @staticmethod
    def merge(logits):
        return next(iter(logits))[0].softmax(dim=0)


def test_a_view_may_have_the_extra_pixel_beyond_multiples_of_the_stride():
    stripes = Stripes()
    stripes.extra = 1
    segmenter = Segmenter(stripes, ("bright",), tile=64)
    assert segmenter(noise(65, 65)).probabilities is not None
    assert segmenter(noise(65, 73)).probabilities is None


@pytest.mark.parametrize(("step", "tile"), [(8, 1024), (14, 1022), (16, 1024), (24, 1008)])
def test_the_default_tile_is_a_multiple_of_the_stride(step, tile):
    stripes = Stripes()
    stripes.step = step
    assert Segmenter(stripes, ("bright",)).tile == tile


def test_the_crf_works_by_blocks_on_large_pictures():
    image = np.zeros((96, 640, 3), np.uint8)
    image[:, 300:] = 255
    image[40:44, 100:104] = 140  # a speck that the network takes for class 1
    image[40:44, 560:564] = 140
    segmenter = Segmenter(Stripes(), ("bright",), crf="getam", tile=64)
    made = segmenter(image)
    assert made.probabilities is None and made.scores is None
    assert not made.labels[:, :290].any() and made.labels[:, 310:].all()


def test_the_logits_of_the_whole_picture_never_exist(monkeypatch):
    monkeypatch.setattr(large, "STRIP", 2**13)
    image = noise(256, 512)
    predictor = SingleStage(Local(channels=11), flip=False)
    seen, merge = [], predictor.merge
    predictor.merge = lambda logits: seen.append(logits[0].numel()) or merge(logits)
    views = predictor.views(image)
    labels, _ = predict_large(predictor, views, image, tile=64)
    assert labels.shape == (256, 512) and sum(seen) == 11 * 256 * 512
    assert max(seen) == 11 * 2**13
    bands = blended_bands(lambda tile: predictor.segment(tile).logits, views[0], side=64, overlap=8)
    assert max(band.numel() for band in bands) <= 11 * 64 * 512
