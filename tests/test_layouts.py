"""The same images as VOC devkit, COCO, own folder and class folders: one index, the same masks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from getam_core.classes import SCENE_CLASSES, VOC_CLASSES
from getam_core.data import Entry, class_names, of_split
from getam_core.evaluation import check_masks, read_mask
from getam_core.scenes import write_scenes
from getam_core.settings import Settings
from tests.layouts_kit import to_class_folders, to_coco, to_folder, to_voc
from tests.voc_kit import SPLITS, entries_of
from workflow_scripts.data_set import list_data_set, masks_of_data_set

VOC_MINI = Path(__file__).parents[2] / "shared" / "data" / "voc_mini" / "VOC2012"
LAYOUTS = ("voc", "coco", "folder", "class folders")


def made(folder):
    """Scenes, whose classes are not in alphabetical order and so must be given."""
    write_scenes(folder, train=24, val=6, size=32, seed=0)
    return folder, entries_of(folder, SCENE_CLASSES), SCENE_CLASSES, SCENE_CLASSES


def real(_):
    """50 images of voc_mini, every class in training; the folder layouts find the classes."""
    if not VOC_MINI.is_dir():
        pytest.skip("the 1,000-image VOC set is not beside the checkout")
    entries = entries_of(VOC_MINI, VOC_CLASSES)
    train, val = of_split(entries, "train"), of_split(entries, "val")
    firsts = {next(e for e in train if name in e.classes) for name in VOC_CLASSES}
    others = [e for e in train if e not in firsts][: 40 - len(firsts)]
    return VOC_MINI, [*firsts, *others, *val[:10]], VOC_CLASSES, None


@dataclass(frozen=True)
class Layouts:
    root: Path  # has a folder for each layout
    entries: list[Entry]
    classes: tuple[str, ...]
    given: tuple[str, ...] | None  # to the folder layouts; None: find the classes
    masks: Path

    def settings(self, layout):
        if "folder" in layout:
            data = {"layout": "folder", "classes": self.given}
        else:
            data = {"layout": layout, "classes": self.classes, **SPLITS}
        return Settings.model_validate({"data": data})


@pytest.fixture(scope="module", params=[made, real], ids=["made", "voc_mini"])
def layouts(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("layouts")
    source, entries, classes, given = request.param(root / "source")
    masks = source / "SegmentationClass"
    to_voc(source, entries, root / "voc")
    to_coco(masks, entries, classes, root / "coco")
    to_folder(masks, entries, root / "folder")
    to_class_folders(masks, entries, root / "class folders")
    return Layouts(root, entries, classes, given, masks)


def known(entries):
    """Return what an index says, in an order that all layouts share."""
    facts = [(e.image_id, e.split, set(e.classes), e.image.read_bytes()) for e in entries]
    return sorted(facts, key=lambda fact: fact[0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_index_is_the_same(layouts, layout):
    settings = layouts.settings(layout)
    listing = list_data_set(settings, layouts.root / layout)
    listed = listing.checked(settings.data.classes, workers=1)
    assert known(listed) == known(layouts.entries)
    assert class_names(settings.data.classes, listed) == layouts.classes
    assert [e.split for e in listed] == sorted(e.split for e in listed), "training images first"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_masks_are_the_same(layouts, layout, tmp_path):
    settings, root = layouts.settings(layout), layouts.root / layout
    listed = list_data_set(settings, root).checked(settings.data.classes)
    for split in SPLITS:
        part = of_split(listed, split)
        found = masks_of_data_set(
            settings, root, split, part, layouts.classes, out=tmp_path / split, workers=1
        )
        check_masks(found, part, 1 + len(layouts.classes))
        for entry in part:
            expected = read_mask(layouts.masks / f"{entry.image_id}.png")
            np.testing.assert_array_equal(read_mask(found[entry.image_id]), expected)
