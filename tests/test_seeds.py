import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from getam_core.errors import InputError
from getam_core.evaluation import THRESHOLDS, ConfusionMatrix, seed_curve
from getam_core.stores import StoreWriter, open_store, write_maps

SIZE = (24, 32)
NUM_CLASSES = 4
# Per image: the class_ids of its maps; one has none.
PRESENT = {"one": [2], "two": [1, 3], "three": [1, 2, 3], "none": []}


@pytest.fixture
def seeds(tmp_path):
    rng = np.random.default_rng(0)
    masks = {}
    with StoreWriter(tmp_path / "maps.h5", "maps", ("a", "b", "c"), {}) as writer:
        for image_id, class_ids in PRESENT.items():
            write_maps(writer, image_id, rng.random((len(class_ids), 3, 4)), class_ids, size=SIZE)
            masks[image_id] = tmp_path / f"{image_id}.png"
            mask = np.kron(rng.choice([0, 1, 2, 3, 255], (6, 8)), np.ones((4, 4)))
            Image.fromarray(mask.astype(np.uint8)).save(masks[image_id])
    return open_store(tmp_path / "maps.h5"), masks


def brute_force(store, masks, threshold):
    """Resize, take the argmax and threshold, image by image, for one threshold."""
    matrix = ConfusionMatrix(NUM_CLASSES)
    for image_id, path in masks.items():
        maps = torch.from_numpy(store[image_id].astype(np.float32))
        scores = torch.zeros(NUM_CLASSES, *SIZE)
        if len(maps):
            fine = F.interpolate(maps[None], SIZE, mode="bilinear", align_corners=False)[0]
            fine[fine < threshold] = -1
            scores[PRESENT[image_id]] = fine
        matrix.update(scores.argmax(dim=0), np.array(Image.open(path)))
    return matrix


def test_one_pass_agrees_with_thresholding_each_image_anew(seeds):
    thresholds = [0.1, 0.3, 0.5, 0.7, 0.95]
    curve = seed_curve(*seeds, NUM_CLASSES, thresholds)
    assert [threshold for threshold, _ in curve] == thresholds
    for threshold, matrix in curve:
        reference = brute_force(*seeds, threshold)
        # The two resizers round differently: at most a pixel or two differ.
        assert np.abs(matrix.counts - reference.counts).sum() <= 4
        assert matrix.counts.sum() == reference.counts.sum()
        assert matrix.images == len(PRESENT)


def test_a_value_equal_to_the_threshold_is_foreground(tmp_path):
    with StoreWriter(tmp_path / "maps.h5", "maps", ("a",), {}) as writer:
        write_maps(writer, "x", np.array([[[1, 0.5], [0.25, 0]]]), [1], size=(2, 2))
    Image.fromarray(np.ones((2, 2), np.uint8)).save(tmp_path / "x.png")
    store = open_store(tmp_path / "maps.h5")
    curve = seed_curve(store, {"x": tmp_path / "x.png"}, 2, [0.25, 0.5, 0.75])
    assert [matrix.counts[1].tolist() for _, matrix in curve] == [[1, 3, 0], [2, 2, 0], [3, 1, 0]]


def test_a_map_of_zeros_is_background(tmp_path):
    with StoreWriter(tmp_path / "maps.h5", "maps", ("a",), {}) as writer:
        write_maps(writer, "x", np.zeros((1, 2, 2)), [1], size=(2, 2))
    Image.fromarray(np.ones((2, 2), np.uint8)).save(tmp_path / "x.png")
    [(_, matrix)] = seed_curve(
        open_store(tmp_path / "maps.h5"), {"x": tmp_path / "x.png"}, 2, [0.1]
    )
    assert matrix.counts.tolist() == [[0, 0, 0], [4, 0, 0]]


def test_the_default_grid_ascends_through_the_stated_range():
    assert THRESHOLDS[0] == 1e-4 and THRESHOLDS[-1] == 0.9 and 0.1 in THRESHOLDS
    assert len(THRESHOLDS) == 51 and list(THRESHOLDS) == sorted(set(THRESHOLDS))


def test_a_mask_of_another_size_or_class_list_is_named(seeds):
    store, masks = seeds
    with pytest.raises(InputError, match=r"image 'one': labels must be 0\.\.2"):
        seed_curve(store, {"one": masks["one"]}, 3)
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(masks["two"])
    with pytest.raises(InputError, match=r"image 'two': .* but its mask is"):
        seed_curve(store, masks, NUM_CLASSES)
