"""Images and stored labels as mmsegmentation sees them, the same in every run with a seed."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from getam_core.deeplab import DrawSampler, StoredLabelDataset, label_set
from getam_core.deeplab.label_set import RandomScale
from getam_core.deeplab.recipe import data_recipe
from getam_core.errors import InputError
from getam_core.stores import StoreWriter
from tests.labelled import CLASSES, scene, write_labelled

RECIPE = {
    "batch_size": 2,
    "processes": 1,
    "workers": 0,
    "crop_size": 33,
    "scale_range": (0.5, 1.5),
    "iterations": 10,
    "start": 0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    write_labelled(folder)
    return folder


def dataset(folder, pipeline=None, seed=0, classes=CLASSES, labels="labels.h5"):
    paths = {"index": folder / "index.csv", "labels": folder / labels}
    recipe = data_recipe(**paths, classes=classes, seed=seed, **RECIPE)["dataset"]
    pipeline = recipe["pipeline"] if pipeline is None else pipeline
    return StoredLabelDataset(**paths, classes=classes, seed=seed, pipeline=pipeline)


def pixels(item):
    return item["inputs"].numpy(), item["data_samples"].gt_sem_seg.data.numpy()


def test_without_transforms_an_item_is_the_file_and_its_stored_label_map(folder):
    data = dataset(folder, [{"type": "mmseg.PackSegInputs"}])
    assert len(data) == 6, "of the training split alone"
    for i in range(6):
        image, labels = scene(i)
        inputs, found = pixels(data[i])
        np.testing.assert_array_equal(inputs.transpose(1, 2, 0), image)
        np.testing.assert_array_equal(found[0], labels)


def test_a_draw_gives_the_same_crop_whatever_came_before(folder):
    draws = [0, 3, 6, 9, 600]
    first = [pixels(dataset(folder)[draw]) for draw in draws]
    np.random.seed(5)  # noqa: NPY002
    data = dataset(folder)
    again = {draw: pixels(data[draw]) for draw in reversed(draws)}
    for draw, (inputs, labels) in zip(draws, first, strict=True):
        np.testing.assert_array_equal(inputs, again[draw][0])
        np.testing.assert_array_equal(labels, again[draw][1])
    assert not np.array_equal(first[0][0], first[2][0]), "the next epoch crops the image anew"


def test_crops_keep_labels_and_pixels_together(folder):
    data = dataset(folder)
    flipped = set()
    for draw in range(24):
        item = data[draw]
        inputs, labels = pixels(item)
        bright = inputs.max(axis=0) > 170  # noise ends at 90; linear resizing blurs the edge
        assert (labels[0][bright] != 0).all() and bright.any() == (labels == 1 + draw % 2).any()
        flipped.add(item["data_samples"].flip)
    assert flipped == {False, True}


def test_drawing_leaves_numpy_s_global_generator_alone(folder):
    data = dataset(folder)
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    data[4]
    assert np.random.random() == expected  # noqa: NPY002


def test_workers_read_through_handles_of_their_own(folder):
    data = dataset(folder)
    alone = [pixels(data[draw]) for draw in range(12)]
    loader = torch.utils.data.DataLoader(
        data, sampler=range(12), num_workers=2, collate_fn=lambda items: items[0]
    )
    for one, item in zip(alone, loader, strict=True):
        for a, b in zip(one, pixels(item), strict=True):
            np.testing.assert_array_equal(a, b)


def test_scaling_keeps_labels_and_pixels_together():
    image, labels = scene(0)
    np.random.seed(0)  # noqa: NPY002
    out = RandomScale((1.5, 1.5))({"img": image, "gt_seg_map": labels})
    assert out["img"].shape == (60, 72, 3) and out["img_shape"] == (60, 72)
    assert set(np.unique(out["gt_seg_map"])) == set(np.unique(labels))
    bright = out["img"][..., 0] > 150
    assert (out["gt_seg_map"][bright] != 0).all()
    expected = cv2.resize(labels, (72, 60), interpolation=cv2.INTER_NEAREST_EXACT)
    np.testing.assert_array_equal(out["gt_seg_map"], expected)


class TestSampler:
    def test_each_epoch_is_a_permutation(self):
        draws = list(DrawSampler(range(7), seed=3, batch_size=2, steps=14))
        for epoch in range(4):
            part = draws[7 * epoch : 7 * epoch + 7]
            assert sorted(part) == list(range(7 * epoch, 7 * epoch + 7))
        assert [d % 7 for d in draws[:7]] != [d % 7 for d in draws[7:14]]

    @settings(max_examples=25, deadline=None)
    @given(st.integers(1, 9), st.integers(0, 5), st.sampled_from([1, 2, 3]))
    def test_processes_share_what_one_would_draw_and_resume_anywhere(self, images, start, group):
        options = {"seed": 0, "batch_size": 6, "steps": 6}
        whole = list(DrawSampler(range(images), **options))
        parts = []
        for rank in range(group):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(label_set, "get_dist_info", lambda rank=rank: (rank, group))
                parts.append(list(DrawSampler(range(images), start=start, **options)))
        share = 6 // group
        for step in range(6 - start):
            batch = [d for part in parts for d in part[step * share : (step + 1) * share]]
            assert batch == whole[6 * (start + step) : 6 * (start + step + 1)]


class TestWrongLabels:
    def test_other_classes_are_named(self, folder):
        with pytest.raises(InputError, match=r"classes red, blue; this run has red, green"):
            dataset(folder, classes=("red", "green"))

    def test_missing_images_are_listed(self, folder, tmp_path):
        with StoreWriter(folder / "few.h5", "labels", CLASSES, {}) as writer:
            writer.write("i0", scene(0)[1])
        with pytest.raises(InputError, match=r"(?s)must label every training image.*i1: not in it"):
            dataset(folder, labels="few.h5")

    def test_labels_of_another_size_name_the_image(self, folder):
        with StoreWriter(folder / "small.h5", "labels", CLASSES, {}) as writer:
            for i in range(6):
                writer.write(f"i{i}", np.zeros((5, 5), np.uint8))
        with pytest.raises(InputError, match=r"image 'i2' has labels of \(5, 5\)"):
            dataset(folder, labels="small.h5")[2]
