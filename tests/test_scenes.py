"""The made data set: whole, deterministic, and true to its labels."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from getam_core.classes import SCENE_CLASSES, palette
from getam_core.data import check_images, read_image
from getam_core.scenes import draw_scene, write_salient_scenes, write_scenes
from getam_core.scenes.shapes import SALIENT_SHAPES, SCENE_SHAPES, coverage
from tests.voc_kit import entries_of


def files_of(root):
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng(i), 96) for i in range(120)]


def test_labels_are_exactly_the_classes_with_visible_pixels(scenes):
    for scene in scenes:
        visible = [SCENE_CLASSES[value - 1] for value in range(1, 7) if (scene.mask == value).any()]
        assert scene.classes == tuple(visible) != ()


def test_every_class_is_common_and_most_of_every_image_is_background(scenes):
    counts = {name: sum(name in scene.classes for scene in scenes) for name in SCENE_CLASSES}
    assert min(counts.values()) > 120 * 0.1
    share = np.mean([np.mean(scene.mask > 0) for scene in scenes])
    assert 0.08 < share < 0.4


def test_several_classes_meet_in_one_scene(scenes):
    assert {len(scene.classes) for scene in scenes} == {1, 2, 3}


@pytest.mark.parametrize("size", [64, 96, 97])
def test_a_scene_is_rgb_with_a_mask_of_its_size(size):
    scene = draw_scene(np.random.default_rng(1), size)
    assert scene.image.shape == (size, size, 3) and scene.image.dtype == np.uint8
    assert scene.mask.shape == (size, size) and scene.mask.dtype == np.uint8


@pytest.mark.parametrize("name", [*SCENE_SHAPES, *SALIENT_SHAPES])
def test_outlines_cover_their_place_and_nothing_far_from_it(name):
    shape = (SCENE_SHAPES | SALIENT_SHAPES)[name](np.random.default_rng(0))
    cover = coverage(shape, (60, 40), 20, 0.3, 100)
    rows, columns = np.nonzero(cover)
    assert cover.min() >= 0 and cover.max() == 1
    assert np.hypot(columns - 60, rows - 40).max() < 20 * 1.4
    assert 0.2 < cover.sum() / (np.pi * 20**2) < 1.1


def test_coverage_of_a_disc_is_its_area_wherever_it_lies():
    for centre in ((50, 50), (41.3, 57.8)):
        cover = coverage(SCENE_SHAPES["circle"](None), centre, 30, 0, 100)
        assert cover.sum() == pytest.approx(np.pi * 30**2, rel=0.02)
        y, x = np.mgrid[:100, :100]
        # A pixel's centre lies half a pixel from its corner, where its index is counted.
        assert (cover * (x + 0.5)).sum() / cover.sum() == pytest.approx(centre[0], abs=0.2)
        assert (cover * (y + 0.5)).sum() / cover.sum() == pytest.approx(centre[1], abs=0.2)


def test_a_ring_has_a_hole():
    cover = coverage(SCENE_SHAPES["ring"](np.random.default_rng(0)), (50, 50), 30, 0, 100)
    assert cover[50, 50] == 0 and cover[50, 74] == 1


def test_the_written_set_is_read_back_as_it_was_drawn(tmp_path):
    write_scenes(tmp_path, train=30, val=2, size=64, seed=5)
    entries = entries_of(tmp_path, SCENE_CLASSES)
    check_images(entries)
    assert len(entries) == 32
    for entry in entries[:5]:
        with Image.open(tmp_path / "SegmentationClass" / f"{entry.image_id}.png") as mask:
            assert mask.getpalette() == palette().ravel().tolist()
            values = np.unique(np.asarray(mask))
        assert entry.classes == tuple(SCENE_CLASSES[value - 1] for value in values if value)
        assert read_image(entry.image).shape == (64, 64, 3)


def test_boxes_enclose_their_class(tmp_path):
    write_scenes(tmp_path, train=1, val=0, size=64, seed=0)
    mask = np.asarray(Image.open(tmp_path / "SegmentationClass" / "train_00000.png"))
    root = ElementTree.parse(tmp_path / "Annotations" / "train_00000.xml").getroot()
    for item in root.findall("object"):
        xmin, ymin, xmax, ymax = (int(corner.text) for corner in item.find("bndbox"))
        mine = mask == SCENE_CLASSES.index(item.findtext("name")) + 1
        assert mine[ymin - 1 : ymax, xmin - 1 : xmax].sum() == mine.sum() > 0


def test_a_scene_depends_on_seed_split_and_number_only(tmp_path):
    write_scenes(tmp_path / "few", train=2, val=1, size=64, seed=1)
    write_scenes(tmp_path / "many", train=4, val=2, size=64, seed=1)
    write_scenes(tmp_path / "other", train=2, val=1, size=64, seed=2)
    few, many, other = (files_of(tmp_path / name) for name in ("few", "many", "other"))
    pictures = [path for path in few if path.suffix in (".jpg", ".png", ".xml")]
    assert len(pictures) == 9
    assert all(few[path] == many[path] for path in pictures)
    images = {few[path] for path in pictures if path.suffix == ".jpg"}
    assert len(images) == 3 and images.isdisjoint(other.values())


def test_salient_scenes_are_pairs_of_image_and_binary_mask(tmp_path):
    write_salient_scenes(tmp_path, count=6, size=64, seed=0)
    images, masks = (sorted((tmp_path / name).iterdir()) for name in ("images", "masks"))
    assert [path.stem for path in images] == [path.stem for path in masks]
    for path in masks:
        mask = np.asarray(Image.open(path))
        assert mask.shape == (64, 64) and set(np.unique(mask)) == {0, 255}


def test_salient_shapes_are_not_the_classes():
    assert not set(SALIENT_SHAPES) & set(SCENE_CLASSES)
