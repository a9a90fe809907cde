"""Masks and saliency of other tools: read correctly, or refused by a line that says what to do.

Two tables: masks of one or two classes, read by evaluation and by `stores import`; and saliency
maps.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from getam_core.classes import palette
from getam_core.data import Entry
from getam_core.errors import InputError
from getam_core.evaluation import check_masks, folder_masks, mvtec_masks, read_mask
from getam_core.saliency.pairs import read_grey
from getam_core.settings import Settings
from getam_core.stores import open_store
from getam_core.stores.__main__ import main
from tests.forms_kit import class_tree, mask, table
from tests.own_kit import picture
from workflow_scripts.data_set import masks_of_data_set

TRUTH = np.zeros((12, 16), np.uint8)
TRUTH[2:6, 3:9] = 1
COLOURS = np.zeros((12, 16, 3), np.uint8)
COLOURS[TRUTH == 1] = (128, 0, 64)
ONE, TWO = ("cat",), ("cat", "dog")


def image(values, mode=None, colours=None):
    made = Image.fromarray(np.asarray(values))
    if colours is not None:
        made.putpalette(list(np.ravel(colours)))
    return made.convert(mode) if mode else made


def swapped():
    """A palette PNG whose indices an editor renumbered: 0 is the cat's colour, 1 is black."""
    return image(1 - TRUTH, colours=[*palette()[1], *palette()[0]])


def with_alpha(alpha):
    return Image.merge("RGBA", (*image(COLOURS).split(), image(alpha)))


LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nCat:128,0,64::\n"

# What the mask file holds, the classes, the settings, and the words of a refusal (None: as TRUTH).
MASKS = {
    "an index PNG": (image(TRUTH, colours=palette()), TWO, {}, None),
    "a grey PNG": (image(TRUTH), TWO, {}, None),
    "one bit": (image(TRUTH == 1), ONE, {}, None),
    "16 bits": (image(TRUTH.astype(np.uint16)), TWO, {}, None),
    "16 bits, 0 and 65535": (
        image(TRUTH.astype(np.uint16) * 65535), ONE, {}, "values up to 65535, expected 0..255",
    ),
    "16 bits that the settings explain": (
        image(TRUTH.astype(np.uint16) * 65535), ONE, {65535: "cat"}, None,
    ),
    "grey in three channels": (image(np.dstack([TRUTH] * 3)), TWO, {}, None),
    "grey in four channels": (
        Image.merge("RGBA", [image(TRUTH)] * 3 + [image(TRUTH * 0 + 255)]), TWO, {}, None,
    ),
    "0 and 255, one class": (
        image(TRUTH * 255), ONE, {}, "255 is ignored, so no class has a pixel",
    ),
    "0 and 255, two classes": (
        image(TRUTH * 255), TWO, {}, "data.mask_values: {255: NAME}",
    ),
    "0 and 255 that the settings explain": (image(TRUTH * 255), ONE, {255: "cat"}, None),
    "grey levels": (image(TRUTH * 120), TWO, {}, "values [120], expected 0..2 or 255"),
    "grey levels that the settings explain": (image(TRUTH * 120), TWO, {120: "cat"}, None),
    "a grey level that the settings leave out": (
        image(TRUTH * 120 + TRUTH * 3), TWO, {120: "cat"}, "values [123] are not among the mask",
    ),
    "colours": (image(COLOURS), TWO, {}, "not colours (0,0,0; 128,0,64); data.mask_values"),
    "colours that the settings explain": (image(COLOURS), TWO, {"128,0,64": "cat"}, None),
    "a colour that the settings leave out": (
        image(COLOURS), TWO, {"0,128,0": "cat"}, "the colours 128,0,64 are not among",
    ),
    "colours of a palette": (
        image(TRUTH, colours=[(0, 0, 0), (128, 0, 64)]), TWO, {"128,0,64": "cat"}, None,
    ),
    "indices numbered anew": (swapped(), TWO, {}, "index 0 has the colour of label 1"),
    "indices numbered anew, by colours": (swapped(), TWO, {"128,0,0": "cat"}, None),
    "transparency": (with_alpha(TRUTH * 255), TWO, {}, "which cannot be labels"),
    "a class that is none": (image(TRUTH), ONE, {1: "cow"}, "'cow' is not a class; expected"),
    "a key that is none": (image(TRUTH), ONE, {"1,2": "cat"}, "expected a grey value or 'red"),
}  # fmt: skip


def masks_of(root, classes, values):
    """Return the mask of the only image as evaluation reads it, after all its checks."""
    settings = Settings.model_validate({
        "data": {"layout": "folder", "classes": classes, "mask_values": values},
    })  # fmt: skip
    entries = [Entry("a", root / "images" / "a.jpg", "val", ("cat",))]
    found = masks_of_data_set(settings, root, "val", entries, classes, out=root / "out", workers=1)
    check_masks(found, entries, 1 + len(classes), classes=classes)
    return read_mask(found["a"])


@pytest.fixture
def root(tmp_path):
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "masks").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_is_read_right_or_refused_by_name(root, name):
    made, classes, values, refusal = MASKS[name]
    made.save(root / "masks" / "a.png")
    if refusal is None:
        np.testing.assert_array_equal(masks_of(root, classes, values), TRUTH)
        return
    with pytest.raises(InputError) as raised:
        masks_of(root, classes, values)
    assert refusal in str(raised.value)


@pytest.mark.parametrize("name", MASKS)
def test_an_import_takes_what_evaluation_takes(root, name, capsys):
    made, classes, values, refusal = MASKS[name]
    made.save(root / "masks" / "a.png")
    out = root / "labels.h5"
    given = ["--values", *(f"{key}={word}" for key, word in values.items())] if values else []
    code = main(["import", str(root / "masks"), str(out), "--classes", *classes, *given])
    if refusal is None:
        assert code == 0
        np.testing.assert_array_equal(open_store(out)["a"], TRUTH)
    else:
        assert code == 2 and refusal in capsys.readouterr().err and not out.exists()


def test_a_jpeg_is_no_mask(root):
    image(TRUTH).save(root / "masks" / "a.png", format="JPEG")
    with pytest.raises(InputError, match="a JPEG, which blurs labels"):
        masks_of(root, TWO, {})


def test_cvat_s_labelmap_says_what_colours_mean(root):
    image(COLOURS).save(root / "masks" / "a.png")
    table(root, LABELMAP, "labelmap.txt")
    np.testing.assert_array_equal(masks_of(root, TWO, {}), TRUTH)


def test_a_labelmap_of_one_class_needs_no_line_of_the_background(root):
    image(COLOURS).save(root / "masks" / "a.png")
    table(root, "cat:128, 0, 64::\nother:1,1,1::\nthird:1,1,1::\n", "labelmap.txt")
    np.testing.assert_array_equal(masks_of(root, ONE, {}), TRUTH)


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ("cat:128,0,64::\ndog:128,0,64::\n", "cat and dog have the same colour '128,0,64'"),
        ("bird:128,0,64::\ndog:128,0, 64::\n", "bird and dog have the same colour '128,0,64'"),
        ("background:0,0,0::\nbird:128,0,64::\n", "names none of the classes cat, dog"),
        ("background:0,0,0::\nBackground:1,1,1::\n", "names none of the classes cat, dog"),
    ],
)
def test_a_labelmap_that_does_not_tell_the_classes_apart_is_refused(root, lines, refusal):
    image(COLOURS).save(root / "masks" / "a.png")
    table(root, lines, "labelmap.txt")
    with pytest.raises(InputError, match=refusal):
        masks_of(root, TWO, {})


@pytest.mark.parametrize("other", ["b", "a_mask"])
def test_the_file_of_exactly_the_image_s_name_is_its_mask(tmp_path, other):
    for name in ("a.png", "a_mask.png", "b.png"):
        mask(tmp_path / "masks" / name, np.uint8(1))
    entries = [Entry(name, Path(f"{name}.jpg"), "val", ()) for name in ("a", other)]
    found = folder_masks(tmp_path, entries)
    assert [path.name for path in found.values()] == ["a.png", f"{other}.png"]


def test_the_mask_of_another_image_is_not_taken(tmp_path):
    mask(tmp_path / "masks" / "a_mask.png", np.uint8(1))
    entries = [Entry(name, Path(f"{name}.jpg"), "val", ()) for name in ("a", "a_mask")]
    found = folder_masks(tmp_path, entries)
    assert [path.name for path in found.values()] == ["a.png", "a_mask.png"]


@pytest.mark.parametrize(
    "names", [("day1_7.png", "day1/7.png"), ("day1_7_mask.png", "day1/7_mask.png")]
)
def test_two_masks_for_one_image_are_refused_by_name(tmp_path, names):
    for name in names:
        mask(tmp_path / "masks" / name, np.uint8(1))
    with pytest.raises(InputError) as raised:
        folder_masks(tmp_path, [Entry("day1_7", Path("day1/7.jpg"), "val", ())])
    assert all(str(tmp_path / "masks" / name) in str(raised.value) for name in names)


@pytest.mark.parametrize("name", ["a.PNG", "a_mask.png"])
def test_a_mask_may_have_a_suffix_in_capitals_or_the_word_mask(root, name):
    image(TRUTH).save(root / "masks" / name, format="PNG")
    np.testing.assert_array_equal(masks_of(root, TWO, {}), TRUTH)


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        (TRUTH * 2, "first .*a.png: value 2 is 'dog', the label says 'cat'"),
        (TRUTH * 0, "no mask has a pixel of a class, although 1 of"),
    ],
)
def test_masks_that_contradict_the_labels_are_refused(root, values, refusal):
    image(values).save(root / "masks" / "a.png")
    with pytest.raises(InputError, match=refusal):
        masks_of(root, TWO, {})


def test_the_masks_of_mvtec_s_tree_have_the_defect_s_class(tmp_path):
    from workflow_scripts.data_set import list_data_set

    class_tree(tmp_path / "train", "good")
    class_tree(tmp_path / "test", "good", "crack", "cut", count=1)
    for name in ("crack", "cut"):
        path = tmp_path / "ground_truth" / name / f"{name}0_mask.png"
        path.parent.mkdir(parents=True)
        image(TRUTH * 255).save(path)
    settings = Settings.model_validate({"data": {"layout": "folder"}})
    entries = list_data_set(settings, tmp_path).entries
    classes = ("crack", "cut")
    found = masks_of_data_set(
        settings, tmp_path, "val", entries, classes, out=tmp_path / "out", workers=1
    )
    check_masks(found, entries, 3, classes=classes)
    np.testing.assert_array_equal(read_mask(found["test_cut_cut0"]), 2 * TRUTH)
    assert not read_mask(found["train_good_good1"]).any()
    (tmp_path / "ground_truth" / "cut" / "cut0_mask.png").unlink()
    with pytest.raises(InputError, match=r"cut0_mask\.png: no such mask"):
        masks_of_data_set(
            settings, tmp_path, "val", entries, classes, out=tmp_path / "out", workers=1
        )


def mvtec_with_a_table(root):
    class_tree(root / "train", "good")
    class_tree(root / "test", "good", "crack", "cut", count=1)
    table(root, "image,classes\ntest/cut/cut0.png,crack;cut\n")
    mask(root / "masks" / "test_cut_cut0.png", TRUTH)
    return [Entry("test_cut_cut0", root / "test/cut/cut0.png", "val", ("crack", "cut"))]


def test_a_table_beside_mvtec_s_tree_has_the_masks_of_a_folder(tmp_path):
    entries = mvtec_with_a_table(tmp_path)
    settings = Settings.model_validate({"data": {"layout": "folder"}})
    found = masks_of_data_set(
        settings, tmp_path, "val", entries, ("crack", "cut"), out=tmp_path / "out", workers=1
    )
    assert found == {"test_cut_cut0": tmp_path / "masks" / "test_cut_cut0.png"}


def test_an_image_of_several_defects_is_refused_by_name(tmp_path):
    entries = mvtec_with_a_table(tmp_path)
    with pytest.raises(InputError, match="test_cut_cut0: shows crack, cut; expected one"):
        mvtec_masks(tmp_path, entries, ("crack", "cut"), tmp_path / "out")


SALIENT = TRUTH * 200
SALIENCY = {
    "grey": (image(SALIENT), None),
    "16 bits": (image(SALIENT.astype(np.uint16) * 256), None),
    "grey in three channels": (image(np.dstack([SALIENT] * 3)), None),
    "grey levels of a palette": (image(TRUTH, colours=[0, 0, 0, 200, 200, 200]), None),
    "a cut-out": (with_alpha(SALIENT), None),
    "a cut-out of grey": (Image.merge("LA", (image(TRUTH * 7 + 9), image(SALIENT))), None),
    "labels of a palette": (image(TRUTH, colours=palette()), "in colour, which is not"),
    "colours": (image(COLOURS), "in colour, which is not a saliency map"),
    "colours with alpha everywhere": (with_alpha(TRUTH * 0 + 255), "in colour, which is not"),
}


@pytest.mark.parametrize("name", SALIENCY)
def test_a_map_of_saliency_is_read_right_or_refused_by_name(tmp_path, name):
    made, refusal = SALIENCY[name]
    made.save(tmp_path / "a.png")
    if refusal is None:
        np.testing.assert_array_equal(read_grey(tmp_path / "a.png"), SALIENT)
        return
    with pytest.raises(InputError, match=refusal):
        read_grey(tmp_path / "a.png")
