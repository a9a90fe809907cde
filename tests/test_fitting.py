"""Masks and saliency that do not fit their images, and good images that look bad."""

import numpy as np
import pytest
from PIL import Image

from getam_core.data import Entry, check_images, list_folder, read_image
from getam_core.errors import InputError
from getam_core.evaluation import check_masks, folder_masks
from getam_core.saliency import precomputed_saliency
from tests.own_kit import OWN_SPLITS, own_folder, picture


def test_masks_of_another_size_or_value_and_missing_ones(tmp_path):
    entries = list_folder(own_folder(tmp_path), OWN_SPLITS).entries
    masks = folder_masks(tmp_path, entries)
    (tmp_path / "masks").mkdir()
    for path in masks.values():
        Image.new("L", (16, 12), 1).save(path)
    Image.new("L", (9, 9)).save(masks["p0"])
    Image.new("L", (16, 12), 7).save(masks["p1"])
    Image.new("RGB", (16, 12), "red").save(masks["p2"])
    masks["p3"].unlink()
    turned = Image.open(tmp_path / "images" / "p4.jpg")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "images" / "p4.jpg", exif=exif)
    with pytest.raises(InputError, match="the masks: 5 problems") as raised:
        check_masks(masks, entries, 3)
    for line in (
        "p0.png: 9 x 9 pixels, its image has 12 x 16",
        "p1.png: values [7], expected 0..2 or 255",
        "p2.png: mode RGB, expected an index or 8-bit grey PNG",
        "p3.png: no such mask",
        "p4.png: 12 x 16 pixels, its image has 16 x 12",
    ):
        assert line in str(raised.value)


def test_saliency_that_is_missing_for_three_images(tmp_path):
    entries = list_folder(own_folder(tmp_path), OWN_SPLITS).entries
    for entry in entries[3:]:
        picture(tmp_path / "maps" / f"{entry.image_id}.png")
    with pytest.raises(InputError, match=r"the saliency maps of .*: 3 problems"):
        precomputed_saliency(tmp_path / "maps", entries)


# --- what looks bad and is not ------------------------------------------------------------------


def test_palette_grey_opaque_and_turned_images_are_taken_as_they_look(tmp_path):
    grid = np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)
    image = Image.fromarray(grid)
    exif = image.getexif()
    exif[0x0112] = 6  # to be rotated by 90 degrees
    variants = {
        "palette.png": image.quantize(64),
        "grey.png": image.convert("L"),
        "opaque.png": image.convert("RGBA"),
    }
    for name, variant in variants.items():
        variant.save(tmp_path / name)
    image.save(tmp_path / "turned.png", exif=exif)
    entries = [Entry(name, tmp_path / name, "train", ()) for name in (*variants, "turned.png")]
    check_images(entries)
    for name, variant in variants.items():
        np.testing.assert_array_equal(read_image(tmp_path / name), np.array(variant.convert("RGB")))
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), np.rot90(grid, -1))


def test_a_byte_order_mark_is_no_problem(tmp_path):
    table = own_folder(tmp_path) / "labels.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    assert len(list_folder(tmp_path, OWN_SPLITS).checked(None, workers=1)) == 10
