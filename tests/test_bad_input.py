"""Everything that can be wrong with a data set, the line that says so, and all of it at once."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from getam_core.data import (
    Entry,
    check_images,
    list_coco,
    list_folder,
    list_voc,
)
from getam_core.data.listing import id_problems
from getam_core.errors import InputError, raise_problems
from tests.own_kit import OWN_SPLITS, class_folders, own_folder, picture, report, write_labels
from tests.own_kit import append_label as add
from tests.voc_kit import CLASSES, SPLITS, annotation, write_list


def rewrite(root: Path, change) -> None:
    path = root / "labels.csv"
    path.write_bytes(change(path.read_bytes()))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def save(root: Path, name: str, image: Image.Image, **options) -> None:
    """Save an image, and add a line for it to the table."""
    image.save(root / "images" / name, **options)
    add(root, f"{name},cat")


def link(root: Path, to: str) -> None:
    (root / "images" / "link.jpg").symlink_to(to)
    add(root, "link.jpg,cat")


RGBA = Image.fromarray(np.full((8, 8, 4), 100, np.uint8), "RGBA")
DEEP = Image.fromarray(np.full((8, 8), 4000, np.uint16))


def deep_colour(root: Path) -> None:
    cv2.imwrite(str(root / "images" / "deep.png"), np.full((8, 8, 3), 40000, np.uint16))
    add(root, "deep.png,cat")


# What is done to a good folder, and part of the line that the report must have.
OWN = {
    "missing image": (lambda r: (r / "images/p0.jpg").unlink(), "line 2: p0.jpg is not in images/"),
    "truncated JPEG": (lambda r: cut(r / "images/p0.jpg"), "images/p0.jpg: cannot be decoded"),
    "empty file": (lambda r: (r / "images/p0.jpg").write_bytes(b""), "p0.jpg: empty file"),
    "text as image": (lambda r: (r / "images/p0.jpg").write_text("x"), "not an image, despite its"),
    "16-bit grey": (lambda r: save(r, "d.png", DEEP), "images/d.png: more than 8 bits per channel"),
    "16-bit colour": (deep_colour, "images/deep.png: more than 8 bits per channel"),
    "transparency": (lambda r: save(r, "a.png", RGBA), "images/a.png: transparent pixels; flatten"),
    "transparent palette": (
        lambda r: save(r, "a.png", Image.new("P", (8, 8)), transparency=0),
        "images/a.png: transparent pixels",
    ),
    "TIFF that only Pillow reads": (
        lambda r: save(r, "z.tif", Image.new("RGB", (8, 8)), compression="zstd"),
        "images/z.tif: cannot be decoded: a variant of TIFF that OpenCV cannot read; save",
    ),
    "another kind under a known suffix": (
        lambda r: save(r, "t.png", Image.new("RGB", (8, 8)), format="TGA"),
        "images/t.png: cannot be decoded: a variant of TGA",
    ),
    "CMYK": (lambda r: save(r, "c.jpg", Image.new("CMYK", (8, 8))), "c.jpg: CMYK colours; save"),
    "link in a circle": (lambda r: link(r, "link.jpg"), "link.jpg: a link in a loop"),
    "broken link": (lambda r: link(r, "gone.jpg"), "link.jpg: a broken link"),
    "folder as image": (
        lambda r: ((r / "images/x.jpg").mkdir(), add(r, "x.jpg,cat")),
        "x.jpg",
    ),
    "unknown class": (
        lambda r: add(r, "p2.jpg,dgo"),
        "unknown class 'dgo'; did you mean 'dog'",
    ),
    "background as class": (
        lambda r: add(r, "p2.jpg,background"),
        "line 4, p2.jpg: 'background' together with 'cat'; keep one",
    ),
    "same id": (
        lambda r: (picture(r / "images/p0.png"), add(r, "p0.png,cat")),
        "id 'p0': p0.png and p0.jpg have the same id",
    ),
    "same but for case": (
        lambda r: (picture(r / "images/P0.jpg"), add(r, "P0.jpg,cat")),
        "have the same but for case; rename one",
    ),
    "path upwards": (lambda r: add(r, "../p0.jpg,cat"), "../p0.jpg lies outside images/"),
    "absolute path": (
        lambda r: add(r, "/etc/x.jpg,cat"),
        "/etc/x.jpg lies outside images/",
    ),
    "control character": (
        lambda r: (picture(r / "images/a\tb.jpg"), add(r, "a\tb.jpg,cat")),
        "has a control character; rename the image",
    ),
    "Latin-1": (
        lambda r: rewrite(r, lambda b: b + "ä.jpg,cat\n".encode("latin-1")),
        "labels.csv, line 12: not UTF-8",
    ),
    "no header": (
        lambda r: rewrite(r, lambda b: b.split(b"\n", 1)[1]),
        "line 1: the columns are p0.jpg, cat; expected image,classes",
    ),
    "another column": (
        lambda r: rewrite(r, lambda b: b.replace(b"image,classes", b"image,classes,box")),
        "column 'box' is unknown ('classes' holds the classes); data.columns",
    ),
    "classes by commas": (
        lambda r: add(r, "p1.jpg,cat,dog"),
        "line 12: 3 columns instead of 2",
    ),
    "no name": (lambda r: add(r, ",cat"), "line 12: names no image"),
    "empty table": (lambda r: write_labels(r), "labels.csv: names no image"),
    "empty file of labels": (
        lambda r: (r / "labels.csv").write_bytes(b""),
        "the columns are none; expected image,classes",
    ),
    "unknown split": (
        lambda r: write_labels(r, "p0,cat,trian", header="image,classes,split"),
        "line 2: split 'trian'; expected train or val",
    ),
    "empty split": (
        lambda r: write_labels(r, "p0,cat,train", "p1,dog,train", header="image,classes,split"),
        "split 'val': has no image",
    ),
    "class without training image": (
        lambda r: write_labels(r, "p0,cat,train", "p1,dog,val", header="image,classes,split"),
        "class 'dog': no training image shows it",
    ),
}


@pytest.mark.parametrize("kind", OWN)
def test_one_s_own_folder(tmp_path, kind):
    own_folder(tmp_path)
    change, line = OWN[kind]
    change(tmp_path)
    assert line in report(tmp_path)


VOC = {
    "missing list": (lambda r: (r / "ImageSets/Segmentation/val.txt").unlink(), "val.txt: missing"),
    "empty list": (lambda r: write_list(r, "val"), "val.txt: empty"),
    "binary list": (
        lambda r: (r / "ImageSets/Segmentation/val.txt").write_bytes(b"\xff\xfe"),
        "val.txt: not UTF-8 text",
    ),
    "../ in an id": (lambda r: write_list(r, "val", "../ccc"), "id '../ccc': has a slash"),
    "splits overlap": (
        lambda r: write_list(r, "val", "a", "ccc"),
        "a: in split 'train' and in split 'val'",
    ),
    "broken XML": (lambda r: (r / "Annotations/a.xml").write_text("<a>"), "a.xml: not valid XML"),
    "no annotation": (lambda r: (r / "Annotations/a.xml").unlink(), "Annotations/a.xml: missing"),
    "unknown class": (
        lambda r: (r / "Annotations/a.xml").write_text(annotation("dgo")),
        "Annotations/a.xml: unknown class 'dgo'; did you mean 'dog'?",
    ),
}


@pytest.mark.parametrize("kind", VOC)
def test_a_voc_devkit(voc, kind):
    change, line = VOC[kind]
    change(voc)
    assert line in report(voc, CLASSES, list_voc, SPLITS)


@pytest.mark.parametrize("read", [list_folder, list_coco])
def test_a_root_that_is_no_data_set(tmp_path, read):
    with pytest.raises(InputError, match=r"data root .*: no such folder"):
        read(tmp_path / "absent", OWN_SPLITS, None)
    with pytest.raises(InputError, match=r"data root "):
        read(tmp_path, OWN_SPLITS, None)


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    class_folders(tmp_path)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        list_folder(tmp_path, OWN_SPLITS)


def test_an_image_that_may_not_be_read(tmp_path, monkeypatch):
    path = picture(tmp_path / "a.jpg")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(InputError, match=r"a\.jpg: cannot be decoded \(Permission denied\)"):
        check_images([Entry("a", path, "train", ())])


@pytest.mark.parametrize("image_id", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\nb", "x" * 201])
def test_ids_that_are_no_safe_file_names(image_id):
    (problem,) = id_problems([Entry(image_id, Path("a.jpg"), "train", ())])
    assert problem.endswith("; rename the image")


# --- one report -------------------------------------------------------------------------------


def test_all_problems_of_a_data_set_are_in_one_report(tmp_path):
    own_folder(tmp_path)
    for kind in ("missing image", "path upwards", "unknown class", "CMYK"):
        OWN[kind][0](tmp_path)
    cut(tmp_path / "images" / "p1.jpg")
    lines = report(tmp_path).splitlines()
    assert lines[0].endswith("5 problems")


def test_twenty_problems_are_shown_and_the_others_kept_for_the_log():
    with pytest.raises(InputError) as raised:
        raise_problems("x", [f"problem {i}" for i in range(23)])
    assert str(raised.value).endswith("  problem 19\n  ... and 3 more")
    assert raised.value.rest == ("  problem 20", "  problem 21", "  problem 22")
