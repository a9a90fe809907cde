"""What the network of a run predicts: sizes, mirror images, the CRF, whole splits."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from getam_core.data.index import Entry
from getam_core.inference.class_map import class_map
from getam_core.inference.predictions import predict_split
from getam_core.inference.single_stage import SingleStage
from getam_core.processes import Workers
from getam_core.refine import crf_label_map
from getam_core.stores import StoreWriter

CLASSES = ("circle", "square")


class Brightness(nn.Module):
    """Three segmentation logits that are fixed mixtures of the colours, smoothed at stride 8."""

    stride = 8

    def __init__(self):
        super().__init__()
        weights = torch.tensor([[1.0, -1, 0], [-2, 2, 0], [0, -1, 1]])
        self.mix = nn.Parameter(weights[:, :, None, None])

    def classify_and_segment(self, images):
        assert images.shape[-1] % 8 == images.shape[-2] % 8 == 0
        coarse = F.avg_pool2d(F.conv2d(images, self.mix), 8)
        return coarse.mean(dim=(2, 3))[:, 1:], F.interpolate(coarse, images.shape[-2:])

    def classify_and_decode(self, images):
        return self.classify_and_segment(images)


@pytest.fixture
def photograph():
    rng = np.random.default_rng(0)
    return np.kron(rng.integers(0, 255, (5, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def segment(network, image, **views):
    return SingleStage(network, **views)(image)


def test_segmentation_at_native_size_is_the_softmax_of_the_network(photograph):
    network = Brightness()
    made = segment(network, photograph, sizes=(None,), flip=False)
    tensor = torch.from_numpy(photograph).permute(2, 0, 1)[None] / 255
    logits, segmentation = network.classify_and_segment(tensor)
    want = segmentation[0].softmax(dim=0).detach().numpy()
    np.testing.assert_allclose(made.probabilities, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made.scores, logits[0].detach().numpy(), rtol=1e-5)
    labels = made.label_map()
    np.testing.assert_array_equal(labels, want.argmax(0))
    assert labels.dtype == np.uint8 and made.scores.dtype == np.float32


def test_flip_is_undone_before_the_mean(photograph):
    # This network commutes with the flip, so a flip that is not undone would change the result.
    plain = segment(Brightness(), photograph, sizes=(None,), flip=False)
    both = segment(Brightness(), photograph, sizes=(None,), flip=True)
    np.testing.assert_allclose(plain.probabilities, both.probabilities, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(plain.scores, both.scores, rtol=1e-5, atol=1e-6)


class LeftHalf(Brightness):
    """Scores of the left half, so that the mirror image has others."""

    def classify_and_segment(self, images):
        left = images[..., : images.shape[-1] // 2]
        return super().classify_and_segment(left)[0], super().classify_and_segment(images)[1]


def test_a_flip_is_a_mean_with_the_mirror_image(photograph):
    plain, mirrored = (
        segment(LeftHalf(), np.ascontiguousarray(image), flip=False).scores
        for image in (photograph, photograph[:, ::-1])
    )
    both = segment(LeftHalf(), photograph, flip=True).scores
    assert abs(plain - mirrored).max() > 1e-2
    np.testing.assert_allclose(both, (plain + mirrored) / 2, rtol=1e-5, atol=1e-6)


def test_a_network_segments_in_evaluation_mode(photograph):
    network = Brightness().train()
    segment(network, photograph)
    assert not network.training


def test_class_map_is_of_images_of_the_size_asked_for(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((16, 24, 3), np.uint8))
    entries, seen = [Entry("a", tmp_path / "a.png", "val", ("square",))], []
    network = Brightness()
    network.forward = lambda images: seen.append(images.shape) or images.mean((2, 3))[:, :2]
    options = {"entries": entries, "classes": CLASSES, "device": torch.device("cpu")}
    assert class_map(network, size=48, **options) == 100
    assert class_map(network, size=None, **options) == 100
    assert [tuple(shape[2:]) for shape in seen] == [(32, 48), (16, 24)]


def test_an_image_of_any_size_is_segmented_at_its_own_size(photograph):
    image = photograph[:37, :45]
    made = segment(Brightness(), image, sizes=(32, 64, None), flip=True)
    labels = made.label_map()
    assert labels.shape == (37, 45) and made.scores.shape == (2,)
    assert labels.max() <= 2


def test_scores_are_the_mean_over_sizes(photograph):
    network = Brightness()
    singly = [segment(network, photograph, sizes=(size,), flip=False).scores for size in (24, 64)]
    together = segment(network, photograph, sizes=(24, 64), flip=False).scores
    np.testing.assert_allclose(together, np.mean(singly, axis=0), rtol=1e-5)


def test_crf_removes_specks_from_a_segmentation():
    image = np.full((40, 40, 3), (250, 60, 60), np.uint8)
    image[:, 20:] = (60, 250, 60)
    image[8:16, 8:16] = (130, 140, 60)  # a block that the network alone takes for class 1
    made = segment(Brightness(), image, sizes=(None,), flip=False)
    rough, refined = made.label_map(), crf_label_map((image, made.probabilities.numpy()))
    assert refined.shape == rough.shape
    assert (rough[8:16, 8:16] == 1).all() and (refined[8:16, 8:16] == 0).all()
    assert (refined[:, 24:] == 1).all() and (refined[:, :6] == 0).all()


def test_a_split_is_the_same_with_the_crf_in_processes(photograph, tmp_path):
    entries = []
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.roll(photograph, 8 * i, axis=1))
        entries.append(Entry(str(i), tmp_path / f"{i}.png", "val", ()))
    predictor = SingleStage(Brightness(), flip=False)
    for workers in (1, 2):
        path = tmp_path / f"{workers}.h5"
        with StoreWriter(path, "predictions", ("a", "b"), {}) as writer, Workers(workers) as some:
            predict_split(predictor, entries, None, writer, workers=some)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
