"""The augmented training set of PASCAL VOC, labels.csv beside a devkit, labels from masks."""

import argparse

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from getam_core.classes import VOC_CLASSES
from getam_core.data import list_voc, write_index
from getam_core.errors import InputError
from getam_core.evaluation import find_masks, read_mask, voc_mask_labels, write_mask_index
from getam_core.settings import Settings
from getam_core.stores import open_store
from tests.voc_kit import CLASSES, add_image, write_list
from workflow_scripts import masks_as_labels
from workflow_scripts.data_set import list_data_set

SPLITS = {"train": "train_aug", "val": "val"}


@pytest.fixture
def augmented(voc):
    """The devkit `voc` (train a and bb, val ccc) with images d and e that only SBD lists."""
    add_image(voc, "d", "cat")
    add_image(voc, "e", "dog", "cat")
    return voc


def segmentation(value):
    mask = np.zeros((24, 32), np.uint8)
    mask[3:9, 4:20] = value
    return mask


def write_sbd(folder, *ids):
    folder.mkdir(parents=True)
    for image_id in ids:
        truth = {"Segmentation": segmentation(2), "Boundaries": np.zeros(2)}
        savemat(folder / f"{image_id}.mat", {"GTcls": truth}, do_compression=True)


def write_pngs(folder, *ids, value=1):
    folder.mkdir()
    for image_id in ids:
        Image.fromarray(segmentation(value)).save(folder / f"{image_id}.png")


def ids_of(listing):
    return [entry.image_id for entry in listing.entries if entry.split == "train"]


@pytest.mark.parametrize("place", ["cls", "SBD/dataset/cls", "benchmark_RELEASE/dataset/cls"])
def test_the_list_is_sbd_and_train_without_val(augmented, place):
    write_sbd(augmented / place, "bb", "ccc", "d", "e")
    listing = list_voc(augmented, SPLITS, CLASSES)
    assert ids_of(listing) == ["a", "bb", "d", "e"] and not listing.problems
    assert "train_aug.txt is missing; its 4 ids are those of" in listing.warnings[0]


def test_sbd_may_be_elsewhere_and_is_beside_the_devkit_otherwise(augmented, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_sbd(elsewhere / "cls", "d")
    listing = list_voc(augmented, SPLITS, CLASSES, sbd=elsewhere)
    assert ids_of(listing) == ["a", "bb", "d"]


def test_the_list_is_made_of_the_names_of_augmented_masks_without_opening_them(augmented):
    (augmented / "SegmentationClassAug").mkdir()
    for image_id in ("a", "bb", "ccc", "e"):
        (augmented / "SegmentationClassAug" / f"{image_id}.png").write_bytes(b"never opened")
    assert ids_of(list_voc(augmented, SPLITS, CLASSES)) == ["a", "bb", "e"]


def test_the_user_s_own_list_takes_precedence(augmented):
    write_sbd(augmented / "cls", "d", "e")
    write_list(augmented, "train_aug", "/JPEGImages/e.jpg /SegmentationClassAug/e.png")
    listing = list_voc(augmented, SPLITS, CLASSES)
    assert ids_of(listing) == ["e"] and listing.warnings == []


def test_without_list_and_sbd_the_report_says_what_to_do(voc):
    with pytest.raises(InputError, match=r"train_aug\.txt: missing; .* or put SBD beside"):
        list_voc(voc, SPLITS, CLASSES).checked(CLASSES)


def test_masks_are_the_devkit_s_then_augmented_then_sbd_s(augmented):
    write_pngs(augmented / "SegmentationClass", "a")
    write_pngs(augmented / "SegmentationClassAug", "a", "bb", value=255)
    write_sbd(augmented / "cls", "a", "bb", "d", "e")
    entries = list_voc(augmented, SPLITS, CLASSES).entries
    masks = {name: read_mask(path) for name, path in find_masks(augmented, entries[:-1]).items()}
    assert {name: int(mask.max()) for name, mask in masks.items()} == {
        "a": 1,
        "bb": 255,
        "d": 2,
        "e": 2,
    }
    np.testing.assert_array_equal(masks["e"], segmentation(2))


def test_masks_of_sbd_become_label_maps_for_the_supervised_ceiling(augmented):
    write_sbd(augmented / "cls", "a", "bb", "d", "e")
    entries = list_voc(augmented, SPLITS, CLASSES).entries[:-1]
    write_index(augmented / "index.csv", entries)
    write_mask_index(augmented / "masks.csv", find_masks(augmented, entries))
    files = {"index": "index.csv", "masks": "masks.csv", "out": "masks.h5"}
    settings = Settings.model_validate({"data": {"classes": CLASSES}}).select("data")
    paths = {name: augmented / file for name, file in files.items()}
    masks_as_labels.main(argparse.Namespace(**paths, settings=settings))
    np.testing.assert_array_equal(open_store(augmented / "masks.h5")["d"], segmentation(2))


def test_a_damaged_mask_of_sbd_is_named(tmp_path):
    (tmp_path / "x.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(300))
    with pytest.raises(InputError, match=r"x\.mat: not an SBD mask"):
        read_mask(tmp_path / "x.mat")
    with pytest.raises(InputError, match="no such mask"):
        read_mask(tmp_path / "y.mat")


def test_other_counts_than_those_of_pascal_voc_are_a_warning(voc):
    named = {"train": "train", "val": "val"}
    assert list_voc(voc, named, VOC_CLASSES).warnings == [
        "list train: 2 images; PASCAL VOC 2012 has 1464",
        "list val: 1 images; PASCAL VOC 2012 has 1449",
    ]
    assert list_voc(voc, named, CLASSES).warnings == []


# --- labels -----------------------------------------------------------------------------------


def test_labels_csv_stands_in_for_annotations_that_are_missing(voc):
    (voc / "Annotations" / "a.xml").unlink()
    (voc / "labels.csv").write_text("image,classes\na.jpg,dog\nbb,cat\n")
    listing = list_voc(voc, {"train": "train", "val": "val"}, CLASSES)
    assert [e.classes for e in listing.entries] == [("dog",), ("dog",), ("cat",)]
    (voc / "Annotations" / "ccc.xml").unlink()
    listing = list_voc(voc, {"train": "train", "val": "val"}, CLASSES)
    assert listing.problems == [
        "Annotations/ccc.xml: missing, and labels.csv does not name the image"
    ]


def test_several_lines_of_labels_csv_are_several_labels_of_an_image(voc):
    (voc / "Annotations" / "a.xml").unlink()
    (voc / "labels.csv").write_text("image,classes\na.jpg,dog\na,cat\na.1,cat\n")
    listing = list_voc(voc, {"train": "train", "val": "val"}, CLASSES)
    assert listing.problems == [] and listing.entries[0].classes == ("cat", "dog")


def test_images_of_the_test_list_need_no_annotation(voc):
    (voc / "Annotations" / "ccc.xml").unlink()
    write_list(voc, "test", "ccc")
    entries = list_voc(voc, {"train": "train", "val": "test"}, CLASSES).checked(CLASSES)
    assert entries[-1].classes == ()


def test_classes_of_annotations_are_found_where_none_are_given(voc):
    entries = list_voc(voc, {"train": "train", "val": "val"}, None).checked(None)
    assert entries[0].classes == ("cat", "dog")


def test_labels_come_from_masks_only_if_asked_for_and_then_with_a_warning(voc, caplog):
    write_pngs(voc / "SegmentationClass", "a", "bb", "ccc", value=2)
    asked = {"data": {"classes": CLASSES, "labels": "masks"}}
    entries = list_data_set(Settings.model_validate(asked), voc).entries
    assert {e.classes for e in entries} == {("dog",)}
    assert "labels are read from the masks (data.labels: masks): ground truth" in caplog.text


def test_a_mask_that_cannot_give_labels_is_a_problem_of_the_report(voc):
    write_pngs(voc / "SegmentationClass", "a", "bb", value=9)
    labels_of = voc_mask_labels(voc, CLASSES)
    listing = list_voc(voc, {"train": "train", "val": "val"}, CLASSES, labels_of=labels_of)
    assert "a.png: value 9, expected 0..2 or 255" in listing.problems[0]
    assert "ccc.png: no such mask" in listing.problems[2]
