"""Exports that other programs load: COCO JSON through pycocotools, YOLO polygons redrawn."""

import json
import re

import cv2
import numpy as np
import pytest
import yaml
from pycocotools.coco import COCO

from getam_core.data import Entry, list_coco
from getam_core.data.index import write_index
from getam_core.stores import StoreWriter, open_store
from getam_core.stores.__main__ import main
from tests.own_kit import picture

CLASSES = ("circle", "square", "star")
NAMES = {"a": "cat/img_1.jpg", "b": "cat/img_2.png", "c": "dog/img_1.jpg"}


def blobs(seed, shape):
    """Smooth regions of all classes, some with holes, some of one pixel; and unknown pixels."""
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(size=shape), (0, 0), 3) for _ in range(5)]
    labels = np.argmax(noise, axis=0).astype(np.uint8)
    labels[labels == 4] = 255
    labels[1, 1] = 3
    return labels


LABELS = {"a": blobs(0, (40, 57)), "b": np.zeros((5, 2), np.uint8), "c": blobs(1, (61, 33))}


@pytest.fixture
def store(tmp_path):
    """A run's store, two folders below its index."""
    images = tmp_path / "images" / "pets"
    entries = [Entry(k, images / name, "train", ()) for k, name in NAMES.items()]
    write_index(tmp_path / "run" / "index.csv", entries)
    path = tmp_path / "run" / "pseudo_labels" / "labels.h5"
    with StoreWriter(path, "labels", CLASSES, {}) as writer:
        for image_id, labels in LABELS.items():
            writer.write(image_id, labels)
    return path


def of_name(labels):
    return {NAMES[image_id]: label_map for image_id, label_map in labels.items()}


def test_pycocotools_decodes_an_exported_json_to_the_label_maps(store, tmp_path, capsys):
    assert main(["export", str(store), str(tmp_path / "regions.json")]) == 0
    assert f"file names of {store.parents[1] / 'index.csv'}" in capsys.readouterr().err
    coco = COCO(str(tmp_path / "regions.json"))
    assert {c["id"]: c["name"] for c in coco.cats.values()} == dict(enumerate(CLASSES, start=1))
    assert {image["file_name"] for image in coco.imgs.values()} == set(NAMES.values())
    for image in coco.imgs.values():
        decoded = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in coco.imgToAnns[image["id"]]:
            region = coco.annToMask(annotation).astype(bool)
            assert annotation["area"] == region.sum() and not decoded[region].any()
            decoded[region] = annotation["category_id"]
        written = of_name(LABELS)[image["file_name"]]
        np.testing.assert_array_equal(decoded, np.where(written == 255, 0, written))


def test_a_json_has_what_the_format_asks_for(store, tmp_path):
    for out in ("1.json", "2.json"):
        assert main(["export", str(store), str(tmp_path / out)]) == 0
    document = json.loads((tmp_path / "1.json").read_text())
    assert document["licenses"] == [] and document["info"]["url"] == ""
    assert {"description", "version"} <= set(document["info"])
    assert re.fullmatch(r"\d{4}/\d\d/\d\d", document["info"]["date_created"])
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()


def test_our_reader_takes_an_exported_json_as_image_level_labels(store, tmp_path):
    out = tmp_path / "annotations" / "instances_pets.json"
    assert main(["export", str(store), str(out)]) == 0
    for name in NAMES.values():
        picture(tmp_path / "images" / "pets" / name, 0, (8, 8))
    listing = list_coco(tmp_path, {"train": "pets"}, CLASSES)
    assert listing.problems == []
    assert [(e.image_id, e.classes) for e in listing.entries] == [
        ("cat_img_1", CLASSES), ("cat_img_2", ()), ("dog_img_1", CLASSES)
    ]  # fmt: skip
    assert all(entry.image.is_file() for entry in listing.entries)


def test_an_image_in_a_folder_that_is_missing_is_named(store, tmp_path):
    out = tmp_path / "annotations" / "instances_pets.json"
    assert main(["export", str(store), str(out)]) == 0
    for name in list(NAMES.values())[:2]:
        picture(tmp_path / "images" / "pets" / name, 0, (8, 8))
    problems = list_coco(tmp_path, {"train": "pets"}, CLASSES).problems
    assert problems == ["images/pets/dog/img_1.jpg: missing"]


def drawn(lines, shape):
    """Draw YOLO's lines as its readers do: in order, coordinates truncated to integers."""
    mask = np.zeros(shape, np.uint8)
    for line in lines:
        class_id, *values = line.split()
        points = np.array(values, float).reshape(-1, 2) * shape[::-1]
        cv2.fillPoly(mask, [points.astype(np.int32)], int(class_id) + 1)
    return mask


def without_lost_holes(labels):
    """Fill, in a label map, the holes whose pixels are background or unknown."""
    filled = np.where(labels == 255, 0, labels)
    for k in range(1, len(CLASSES) + 1):
        region = (labels == k).astype(np.uint8)
        outlines = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        inside = cv2.drawContours(np.zeros_like(region), outlines, -1, 1, cv2.FILLED) > 0
        filled[inside & (filled == 0)] = k
    return filled


def test_yolo_polygons_drawn_again_are_the_label_maps_but_for_holes(store, tmp_path):
    assert main(["export", str(store), str(tmp_path / "yolo"), "--format", "yolo"]) == 0
    for image_id, labels in LABELS.items():
        path = (tmp_path / "yolo" / "labels" / NAMES[image_id]).with_suffix(".txt")
        lines = path.read_text().splitlines()
        assert all(len(line.split()) >= 7 for line in lines), "readers expect three points"
        found = drawn(lines, labels.shape)
        np.testing.assert_array_equal(found[found > 0], without_lost_holes(labels)[found > 0])
        for k in range(1, len(CLASSES) + 1):
            region = labels == k
            if region.any():
                overlap = (region & (found == k)).sum() / (region | (found == k)).sum()
                assert overlap > 0.9


def test_yolo_tells_classes_by_numbers_from_zero(store, tmp_path):
    assert main(["export", str(store), str(tmp_path), "--format", "yolo"]) == 0
    described = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert described["names"] == {0: "circle", 1: "square", 2: "star"}
    assert described["train"] == described["val"] == "images"


def test_a_hole_is_filled_unless_another_class_is_in_it(tmp_path):
    ring = np.zeros((20, 20), np.uint8)
    ring[2:18, 2:18] = 1
    ring[5:9, 5:9] = 2
    ring[12:15, 12:15] = 0
    with StoreWriter(tmp_path / "labels.h5", "labels", CLASSES, {}) as writer:
        writer.write("x", ring)
    assert main(["export", str(tmp_path / "labels.h5"), str(tmp_path), "--format", "yolo"]) == 0
    found = drawn((tmp_path / "labels" / "x.txt").read_text().splitlines(), ring.shape)
    ring[12:15, 12:15] = 1
    np.testing.assert_array_equal(found, ring)


def test_without_an_index_the_image_ids_are_the_names_and_it_is_said(store, tmp_path, capsys):
    (store.parents[1] / "index.csv").unlink()
    assert main(["export", str(store), str(tmp_path / "regions.json")]) == 0
    assert "image_ids are used as file names" in capsys.readouterr().err
    names = [i["file_name"] for i in json.loads((tmp_path / "regions.json").read_text())["images"]]
    assert names == open_store(store).ids()


def test_an_index_of_other_images_is_refused_with_the_way_out(store, tmp_path, capsys):
    write_index(tmp_path / "other.csv", [Entry("a", tmp_path / "a.jpg", "train", ())])
    out = [str(store), str(tmp_path / "regions.json"), "--index"]
    assert main(["export", *out, str(tmp_path / "other.csv")]) == 2
    assert "other.csv: has no image 'b' (2 of 3 are not in it)" in capsys.readouterr().err
    (tmp_path / "table.csv").write_text("x,y\n")
    assert main(["export", *out, str(tmp_path / "table.csv")]) == 2
    assert "table.csv: expected the columns image_id, image" in capsys.readouterr().err
    assert main(["export", *out, str(tmp_path / "none.csv")]) == 2
    assert "none.csv: no such file" in capsys.readouterr().err
    assert main(["export", str(store), str(tmp_path), "--index", "x"]) == 2
    assert "PNG files are named by image_id" in capsys.readouterr().err


def test_two_images_that_yolo_cannot_tell_apart_are_refused(store, tmp_path, capsys):
    names = {"a": "x.jpg", "b": "x.png", "c": "y.jpg"}
    entries = [Entry(k, tmp_path / name, "train", ()) for k, name in names.items()]
    write_index(tmp_path / "index.csv", entries)
    options = ["--format", "yolo", "--index", str(tmp_path / "index.csv")]
    assert main(["export", str(store), str(tmp_path / "yolo"), *options]) == 2
    assert "x.jpg and x.png would both be x.txt" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["x.json", "png"])
def test_an_export_to_where_nothing_can_be_written_is_one_line(store, tmp_path, capsys, out):
    (tmp_path / "file").write_text("")
    assert main(["export", str(store), str(tmp_path / "file" / out)]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "could not be written" in line]
    assert len(said) == 1 and str(tmp_path / "file") in said[0]
