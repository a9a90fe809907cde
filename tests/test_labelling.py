import numpy as np
import pytest
import torch

from getam_core.data import SCENE_CLASSES, of_split, read_voc, write_scenes
from getam_core.labels import complete_labels, export_labels, label_image, label_images
from getam_core.refine import pamr
from getam_core.stores import StoreWriter, open_store, write_maps

GENERATOR = torch.Generator().manual_seed(0)
IMAGE = torch.rand(3, 24, 40, generator=GENERATOR)
MAPS = torch.rand(2, 3, 5, generator=GENERATOR)
IDS = torch.tensor([2, 5])


def test_refined_maps_are_completed_at_the_size_of_the_image():
    refined = pamr(IMAGE[None], MAPS[None], iterations=3)[0]
    expected = complete_labels(refined, IDS, None, gamma=4.0)
    assert torch.equal(label_image(IMAGE, MAPS, IDS, None, iterations=3, gamma=4.0), expected)


def test_without_refinement_maps_are_resized_as_they_are():
    resized = torch.nn.functional.interpolate(MAPS[None], (24, 40), mode="bilinear")[0]
    expected = complete_labels(resized, IDS, None)
    assert torch.equal(label_image(IMAGE, MAPS, IDS, None, refinement="none"), expected)


def test_refinement_at_half_size_gives_labels_of_full_size():
    labels = label_image(IMAGE, MAPS, IDS, None, scale=0.5, gamma=4.0)
    assert labels.shape == (24, 40)
    full = label_image(IMAGE, MAPS, IDS, None, gamma=4.0)
    assert (labels == full).float().mean() > 0.6


@pytest.mark.parametrize("salient", [False, True])
def test_an_image_without_classes_is_background_or_unknown(salient):
    saliency = torch.full((24, 40), salient)
    labels = label_image(IMAGE, MAPS[:0], IDS[:0], saliency)
    assert labels.unique().tolist() == [255 if salient else 0]


@pytest.mark.parametrize("refinement", ["pamr", "par", "crf", "none"])
def test_a_batch_is_labelled_as_its_images_are(refinement):
    generator = torch.Generator().manual_seed(1)
    images, maps = torch.rand(5, 3, 24, 40, generator=generator), torch.rand(7, 3, 5)
    owner, ids = torch.tensor([0, 2, 2, 3, 4, 4, 4]), torch.tensor([3, 1, 2, 6, 1, 4, 5])
    saliency = torch.rand(5, 24, 40, generator=generator) > 0.5
    options = {"refinement": refinement, "iterations": 2, "scale": 0.5}
    for salient in (None, saliency):
        batch = label_images(images, maps, owner, ids, salient, **options)
        for b in range(5):
            mine, known = owner == b, None if salient is None else salient[b]
            alone = label_image(images[b], maps[mine], ids[mine], known, **options)
            assert torch.equal(batch[b], alone)


def test_two_processes_write_what_one_writes(tmp_path):
    write_scenes(tmp_path, train=9, val=2, size=32, seed=0)
    entries = of_split(read_voc(tmp_path, {"train": "train", "val": "val"}, SCENE_CLASSES), "train")
    rng = np.random.default_rng(0)
    with (
        StoreWriter(tmp_path / "maps.h5", "maps", SCENE_CLASSES, {}) as maps,
        StoreWriter(tmp_path / "saliency.h5", "saliency", SCENE_CLASSES, {}) as saliency,
    ):
        for entry in entries:
            ids = [SCENE_CLASSES.index(name) + 1 for name in entry.classes]
            write_maps(maps, entry.image_id, rng.random((len(ids), 4, 4)), ids, size=(32, 32))
            saliency.write(entry.image_id, rng.integers(0, 256, (32, 32), np.uint8))
    for workers in (1, 2):
        path = tmp_path / f"labels{workers}.h5"
        with StoreWriter(path, "labels", SCENE_CLASSES, {}) as writer:
            export_labels(
                entries,
                open_store(tmp_path / "maps.h5"),
                open_store(tmp_path / "saliency.h5"),
                writer,
                saliency_threshold=0.5,
                workers=workers,
                gamma=4.0,
            )
    one, two = (open_store(tmp_path / f"labels{workers}.h5") for workers in (1, 2))
    assert one.ids() == two.ids() == [entry.image_id for entry in entries]
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert any((one[name] > 0).any() for name in one)
