"""VOC devkits and COCO files as other tools write them: read correctly, or refused by name."""

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from getam_core.data import Entry
from getam_core.errors import InputError
from getam_core.evaluation import coco_masks
from tests.forms_kit import coco_file, outcome, table
from tests.own_kit import picture
from tests.voc_kit import annotation, write_list

CLASSES = ("cat", "dog")
VOC_SET = {"a": "cat dog", "bb": "dog", "ccc": "cat"}


def annotated(root, image_id, *names):
    (root / "Annotations" / f"{image_id}.xml").write_text(annotation(*names))


def renamed(root, old, new):
    (root / "JPEGImages" / old).rename(root / "JPEGImages" / new)


VOC = {
    "as it is": (lambda r: None, {}, VOC_SET),
    ".JPG": (lambda r: renamed(r, "a.jpg", "a.JPG"), {}, VOC_SET),
    ".jpeg": (lambda r: renamed(r, "a.jpg", "a.jpeg"), {}, VOC_SET),
    "two files of one id": (
        lambda r: picture(r / "JPEGImages" / "a.png"), {}, "a.jpg and a.png have the same id",
    ),
    "lists with suffixes": (lambda r: write_list(r, "train", "a.jpg", "bb.JPG"), {}, VOC_SET),
    "lists with paths": (
        lambda r: write_list(r, "train", "JPEGImages/a.jpg", "./JPEGImages/bb.jpg"), {}, VOC_SET,
    ),
    "lists with masks beside the images": (
        lambda r: write_list(r, "train", "/JPEGImages/a.jpg /SegmentationClass/a.png", "bb"), {},
        VOC_SET,
    ),
    "an object that is the background": (
        lambda r: annotated(r, "a", "cat", "_background_", "dog"), {}, VOC_SET,
    ),
    "another class": (
        lambda r: annotated(r, "a", "cat", "dgo"), {}, "unknown class 'dgo'; did you mean 'dog'?",
    ),
    "another class, left out": (
        lambda r: annotated(r, "a", "cat", "dog", "cow"), {"other_classes": "leave_out"}, VOC_SET,
    ),
    "an object that is good": (
        lambda r: annotated(r, "ccc", "good"), {}, "ccc.xml: 'good': is it a class?",
    ),
    "labels.csv of 0 and 1": (
        lambda r: ((r / "Annotations" / "a.xml").unlink(),
                   table(r, "image;cat;dog\nJPEGImages/a.JPG;1;1\n")), {}, VOC_SET,
    ),
    "another Unicode form": (
        lambda r: (renamed(r, "bb.jpg", "b\u00e4.jpg"), annotated(r, "b\u00e4", "dog"),
                   write_list(r, "train", "a", "b\u00e4")), {},
        {"a": "cat dog", "b\u00e4": "dog", "ccc": "cat"},
    ),
    "hidden copies of macOS": (
        lambda r: (r / "JPEGImages" / "._a.jpg").write_bytes(b"x"), {}, VOC_SET,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VOC)
def test_a_devkit(voc, name):
    change, settings, expected = VOC[name]
    change(voc)
    check(outcome(voc, layout="voc", **{"classes": CLASSES} | settings), expected)


def check(found, expected):
    if isinstance(expected, str):
        assert isinstance(found, str) and expected in found
    else:
        assert found == expected


IMAGES = {"train": ["a.jpg", "b.jpg"], "val": ["c.jpg"]}
SHOWN = {"a.jpg": [1], "b.jpg": [2, 1], "c.jpg": [2]}
COCO_SET = {"a": "cat", "b": "cat dog", "c": "dog"}
CATEGORIES = {1: "cat", 2: "dog"}


def coco(root, *, file="annotations/instances_{}.json", images="images/{}", before="", **changes):
    """A set of three images; `changes` are those of `coco_file`, `before` is put before names."""
    for split, names in IMAGES.items():
        for name in names:
            picture(root / images.format(split) / name, ord(name[0]))
        given = {"shown": SHOWN, "categories": CATEGORIES} | changes
        shown = {before + name: ids for name, ids in given.pop("shown").items()}
        coco_file(root / file.format(split), [before + name for name in names], shown, **given)


def rewritten(root, change):
    for path in (root / "annotations").iterdir():
        path.write_text(json.dumps(change(json.loads(path.read_text()))))


def text_ids(document):
    for kind in document.values():
        for item in kind:
            item |= {k: str(v) for k, v in item.items() if k.endswith("id")}
    return document


def without_ids(document):
    for item in document["annotations"]:
        del item["id"]
    return document


NAMED = {"train": "train", "val": "val"}
ROBOFLOW = {"file": "{}/_annotations.coco.json", "images": "{}"}
COCO = {
    "no segmentations": (lambda r: coco(r), NAMED, COCO_SET),
    "no ids of annotations": (lambda r: (coco(r), rewritten(r, without_ids)), NAMED, COCO_SET),
    "ids as text": (lambda r: (coco(r), rewritten(r, text_ids)), NAMED, COCO_SET),
    "categories from 0": (
        lambda r: coco(r, categories={0: "cat", 1: "dog"},
                       shown={"a.jpg": [0], "b.jpg": [0, 1], "c.jpg": [1]}), NAMED, COCO_SET,
    ),
    "names with folders before them": (
        lambda r: coco(r, before="images/"), NAMED, COCO_SET,
    ),
    "names with back slashes": (lambda r: coco(r, before=".\\images\\"), NAMED, COCO_SET),
    "<split>.json": (lambda r: coco(r, file="annotations/{}.json"), NAMED, COCO_SET),
    "Roboflow's files": (lambda r: coco(r, **ROBOFLOW), NAMED, COCO_SET),
    "Roboflow's files, and no settings": (
        lambda r: (coco(r, **ROBOFLOW), (r / "val").rename(r / "valid")), {}, COCO_SET,
    ),
    "Roboflow's category of the project": (
        lambda r: coco(r, categories={0: "pets", **CATEGORIES}, **ROBOFLOW), NAMED, COCO_SET,
    ),
    "_background_": (
        lambda r: coco(r, categories={0: "_background_", **CATEGORIES},
                       shown={**SHOWN, "a.jpg": [0, 1]}), NAMED, COCO_SET,
    ),
    "a category that is good": (
        lambda r: coco(r, categories={0: "good", **CATEGORIES}, shown={**SHOWN, "a.jpg": [0, 1]}),
        NAMED, "instances_train.json: 'good': is it a class?",
    ),
    "a category of val alone": (
        lambda r: coco(r, categories={3: "fox", **CATEGORIES}, shown={**SHOWN, "c.jpg": [3, 2]}),
        NAMED, "class 'fox': val shows it, no training image does",
    ),
    "a category of val alone, left out": (
        lambda r: coco(r, categories={3: "fox", **CATEGORIES}, shown={**SHOWN, "c.jpg": [3, 2]}),
        NAMED | {"other_classes": "leave_out"}, COCO_SET,
    ),
    "two of three classes": (
        lambda r: coco(r, categories={3: "fox", **CATEGORIES}, shown={**SHOWN, "a.jpg": [3, 1]}),
        NAMED | {"other_classes": "leave_out", "classes": CLASSES}, COCO_SET,
    ),
    "neither form": (lambda r: (r / "train").mkdir(), NAMED, "has no annotations/, nor"),
}  # fmt: skip


@pytest.mark.parametrize("name", COCO)
def test_a_coco_file(tmp_path, name):
    make, settings, expected = COCO[name]
    make(tmp_path)
    check(outcome(tmp_path, layout="coco", **{"classes": None} | settings), expected)


def test_boxes_make_no_masks_and_the_background_is_drawn_as_nothing(tmp_path):
    image = picture(tmp_path / "images" / "val" / "c.jpg")
    entries = [Entry("c", image, "val", ("dog",))]
    square = [[2, 2, 8, 2, 8, 8, 2, 8]]
    coco(tmp_path, shown={"c.jpg": [2]}, segmentation=[], bbox=[2, 2, 6, 6])
    rewritten(tmp_path, sized)
    with pytest.raises(InputError, match="c: annotation 0 without a segmentation: "):
        coco_masks(tmp_path, "val", entries, CLASSES, tmp_path / "out")
    shown = {"c.jpg": [0]}
    coco(tmp_path, shown=shown, categories={0: "_background_", 2: "dog"}, segmentation=square)
    rewritten(tmp_path, sized)
    found = coco_masks(tmp_path, "val", entries, CLASSES, tmp_path / "out")
    assert not np.array(Image.open(found["c"])).any()


def sized(document):
    for image in document["images"]:
        image |= {"height": 12, "width": 16}
    return document


def test_ids_are_in_one_unicode_form_whatever_the_disk_s(voc):
    name = unicodedata.normalize("NFD", "b\u00e4")
    renamed(voc, "bb.jpg", f"{name}.jpg")
    annotated(voc, "b\u00e4", "dog")
    write_list(voc, "train", "a", "b\u00e4")
    assert outcome(voc, layout="voc", classes=CLASSES)["b\u00e4"] == "dog"
