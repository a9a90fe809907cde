"""MS COCO: labels from its instances, and masks rendered from them, checked pixel by pixel."""

import json
import shutil

import numpy as np
import pytest
from pycocotools.coco import COCO

from getam_core.classes import COCO_CLASSES
from getam_core.data import class_names, list_coco
from getam_core.errors import InputError
from getam_core.evaluation import coco_masks, read_mask
from getam_core.evaluation.coco_masks import render
from getam_core.settings import Settings
from tests.own_kit import picture

SPLITS = {"train": "train2014", "val": "val2014"}
CATS = {3: "cat", 7: "dog", 90: "kite"}  # ids with gaps, like COCO's
CLASSES = ("cat", "dog", "kite")
SIZE = (40, 50)


def box(x, y, w, h):
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def run_lengths(rows, columns):
    """Uncompressed run lengths of a rectangle, as COCO has them for crowds."""
    mask = np.zeros(SIZE, np.uint8)
    mask[rows, columns] = 1
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]])))
    return {"size": list(SIZE), "counts": np.diff([0, *edges]).tolist()}


CROWD = run_lengths(slice(5, 30), slice(2, 45))
# Images: (category, segmentation, crowd) of each instance.
SCENES = [
    [(3, box(5, 5, 20, 20), 0)],
    [(3, box(5, 5, 20, 20), 0), (7, box(10, 10, 6, 6), 0)],  # the small one over the large
    [(7, box(10, 10, 6, 6), 0), (3, box(5, 5, 20, 20), 0)],  # the same in the other order
    [(3, box(5, 5, 10, 10), 0), (7, box(10, 10, 10, 10), 0)],  # equal ones: the later
    [(7, CROWD, 1)],
    [(7, CROWD, 1), (3, box(0, 0, 10, 30), 0)],  # an instance extends into the crowd
    [(3, box(0, 0, 10, 30), 0), (7, CROWD, 1)],
    [(90, box(20, 20, 1, 1), 0)],  # a pixel
    [(90, box(20.2, 20.2, 0.3, 0.3), 0), (3, box(0, 0, 50, 40), 0)],  # less than one
    [(3, [*box(0, 0, 5, 5), *box(30, 30, 5, 5)], 0)],  # in two parts
    [(7, [[3.5, 2.5, 30.2, 8.1, 17.7, 35.9]], 0), (90, [[25, 1, 49, 20, 10, 39]], 0)],
    [],
    [(3, box(0, 0, 50, 40), 0), (7, CROWD, 1)],  # a crowd that is the smaller one
]


@pytest.fixture
def root(tmp_path):
    """All the images in each split, val's in reverse order."""
    for name, scenes in (("train2014", SCENES), ("val2014", SCENES[::-1])):
        images, annotations = [], []
        for number, scene in enumerate(scenes, start=500):
            file = f"COCO_{name}_{number:012}.jpg"
            picture(tmp_path / name / file, number, SIZE)
            height, width = SIZE
            images.append({"id": number, "file_name": file, "height": height, "width": width})
            for category, segmentation, crowd in scene:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": category,
                        "segmentation": segmentation,
                        "iscrowd": crowd,
                    }
                )
        categories = [{"id": k, "name": name} for k, name in CATS.items()]
        write(tmp_path, name, images=images, annotations=annotations, categories=categories)
    return tmp_path


def path_of(root, name):
    return root / "annotations" / f"instances_{name}.json"


def write(root, name, **document):
    path_of(root, name).parent.mkdir(exist_ok=True)
    path_of(root, name).write_text(json.dumps(document))


def change(root, key, value, name="val2014"):
    document = json.loads(path_of(root, name).read_text())
    document[key] = value(document[key])
    path_of(root, name).write_text(json.dumps(document))


def problems(root, classes=CLASSES):
    with pytest.raises(InputError) as raised:
        list_coco(root, SPLITS, classes).checked(classes, workers=1)
    return str(raised.value)


# --- labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", ["", "coco"])
def test_labels_are_the_categories_of_all_instances_crowds_too(root, tmp_path_factory, inner):
    given = tmp_path_factory.mktemp("root")
    shutil.copytree(root, given / inner, dirs_exist_ok=True)
    entries = list_coco(given, SPLITS, CLASSES).checked(CLASSES, workers=1)
    train = [e for e in entries if e.split == "train"]
    assert [e.image_id for e in train[:2]] == [f"COCO_train2014_{i:012}" for i in (500, 501)]
    assert [set(e.classes) for e in train] == [{CATS[c] for c, _, _ in s} for s in SCENES]
    assert train[2].classes == ("cat", "dog"), "in the run's order"
    assert len(entries) == 2 * len(SCENES)


def test_categories_are_found_where_none_are_given(root):
    entries = list_coco(root, SPLITS, None).checked(None)
    assert class_names(None, entries) == CLASSES


def test_names_of_categories_may_be_numbers(root, tmp_path):
    for name in SPLITS.values():
        change(root, "categories", lambda c: [k | {"name": k["id"]} for k in c], name)
    entries = list_coco(root, SPLITS, None).checked(None)
    classes = class_names(None, entries)
    assert classes == ("3", "7", "90")
    masks = coco_masks(root, "train2014", entries[:1], classes, tmp_path / "masks")
    assert set(np.unique(read_mask(masks[entries[0].image_id]))) == {0, 1}


def test_images_may_lie_in_a_folder_of_their_own(root):
    (root / "images").mkdir()
    for name in SPLITS.values():
        (root / name).rename(root / "images" / name)
    assert list_coco(root, SPLITS, CLASSES).problems == []


def test_the_layout_brings_its_eighty_classes_and_lists():
    data = Settings.model_validate({"data": {"layout": "coco"}}).data
    assert (data.classes, data.train, data.val) == (COCO_CLASSES, "train2014", "val2014")
    assert (len(COCO_CLASSES), COCO_CLASSES[0], COCO_CLASSES[-1]) == (80, "person", "toothbrush")


@pytest.mark.parametrize(
    ("break_it", "line"),
    [
        (lambda r: path_of(r, "val2014").unlink(), "instances_val2014.json: no such file"),
        (lambda r: path_of(r, "val2014").write_text("{"), "instances_val2014.json: not valid JSON"),
        (lambda r: write(r, "val2014", info={}), "not in COCO's format; expected the lists images"),
        (lambda r: change(r, "images", lambda _: []), "image_id that is not in images, first 1"),
        (lambda r: change(r, "images", lambda i: [{}, *i]), "images[0]: expected id, file_name"),
        (lambda r: change(r, "images", lambda i: [*i, i[3]]), "images: id 503 is used twice"),
        (
            lambda r: change(r, "categories", lambda c: c[:2]),
            "annotations have a category_id that is not in categories",
        ),
        (
            lambda r: change(r, "categories", lambda c: [c[0] | {"name": "catt"}, *c[1:]]),
            "instances_val2014.json: unknown class 'catt'; did you mean 'cat'?",
        ),
        (
            lambda r: change(r, "images", lambda i: [i[0] | {"file_name": "../x.jpg"}, *i[1:]]),
            "instances_val2014.json: file_name ../x.jpg: leads outside",
        ),
        (
            lambda r: (r / "val2014" / "COCO_val2014_000000000507.jpg").unlink(),
            "val2014/COCO_val2014_000000000507.jpg: missing",
        ),
        (lambda r: shutil.rmtree(r / "val2014"), "val2014/: missing; it should hold the images"),
        (
            lambda r: change(r, "annotations", lambda a: [], "train2014"),
            "class 'cat': no training image shows it",
        ),
    ],
)
def test_what_is_wrong_is_named(root, break_it, line):
    break_it(root)
    assert line in problems(root)


# --- masks ------------------------------------------------------------------------------------


def by_pycocotools(coco, image_id):
    """Draw each instance by `annToMask`: crowds, then the others, larger before smaller."""
    mask = np.zeros(SIZE, np.uint8)
    shapes = [(a, coco.annToMask(a) > 0) for a in coco.loadAnns(coco.getAnnIds(image_id))]
    for annotation, inside in shapes:
        if annotation["iscrowd"]:
            mask[inside] = 255
    for annotation, inside in sorted(shapes, key=lambda pair: -pair[1].sum()):
        if not annotation["iscrowd"]:
            mask[inside] = list(CATS).index(annotation["category_id"]) + 1
    return mask


def test_masks_are_pycocotools_own_pixel_by_pixel(root, tmp_path, capsys):
    entries = [e for e in list_coco(root, SPLITS, CLASSES).entries if e.split == "val"]
    out = tmp_path / "masks"
    masks = coco_masks(root, "val2014", entries, CLASSES, out)
    assert capsys.readouterr().out == "", "pycocotools prints its progress"
    coco = COCO(path_of(root, "val2014"))
    for image in coco.dataset["images"]:
        expected = by_pycocotools(coco, image["id"])
        found = read_mask(masks[image["file_name"].removesuffix(".jpg")])
        np.testing.assert_array_equal(found, expected)


def test_overlaps_crowds_and_tiny_instances_by_hand(root):
    coco = COCO(path_of(root, "train2014"))
    value = {k: i for i, k in enumerate(CATS, start=1)}
    masks = [render(image, coco.imgToAnns[image["id"]], value) for image in coco.dataset["images"]]
    assert masks[1][12, 12] == 2 and masks[1][8, 8] == 1
    np.testing.assert_array_equal(masks[1], masks[2])
    assert masks[3][12, 12] == 2
    assert masks[4][10, 10] == 255 and masks[4][0, 0] == 0
    assert masks[5][10, 5] == 1 and masks[5][10, 20] == 255
    np.testing.assert_array_equal(masks[5], masks[6])
    assert (masks[7] == 3).sum() == 1 and (masks[8] == 3).sum() <= 1
    assert masks[11].max() == 0
    assert (masks[12] == 1).all()


def test_a_segmentation_that_cannot_be_drawn_is_named(root, tmp_path):
    change(root, "annotations", lambda a: [a[0] | {"segmentation": "x"}, *a[1:]], "train2014")
    entries = [e for e in list_coco(root, SPLITS, CLASSES).entries if e.split == "train"]
    with pytest.raises(InputError, match=r"COCO_train2014_000000000500: its segmentations cannot"):
        coco_masks(root, "train2014", entries, CLASSES, tmp_path / "masks")
