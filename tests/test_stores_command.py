"""`python -m getam_core.stores`: verify, summary and export, as called from the shell."""

import re

import h5py
import numpy as np
import pytest
from PIL import Image

from getam_core.classes import palette
from getam_core.stores import StoreWriter, open_store, write_maps
from getam_core.stores.__main__ import main

CLASSES = ("circle", "square", "star")
LABELS = np.arange(12, dtype=np.uint8).reshape(3, 4) % 4
UNKNOWN = np.where(LABELS == 3, 255, 0).astype(np.uint8)


@pytest.fixture
def labels(tmp_path):
    with StoreWriter(tmp_path / "labels.h5", "labels", CLASSES, {"alpha": 0.9}) as writer:
        writer.write("a", LABELS)
        writer.write("b", UNKNOWN)
    return tmp_path / "labels.h5"


def test_verify_command_says_by_its_exit_code_whether_a_file_is_whole(labels, capsys):
    assert main(["verify", str(labels)]) == 0
    assert "intact, 2 images" in capsys.readouterr().out
    with h5py.File(labels, "r+") as file:
        file["images/a"][0, 0] = 77
    assert main(["verify", str(labels)]) == 1
    assert "image 'a' is damaged" in capsys.readouterr().err


def test_summary_command_shows_kind_classes_and_settings(labels, capsys):
    assert main(["summary", str(labels)]) == 0
    shown = capsys.readouterr().out
    assert all(part in shown for part in ("labels, 2 images", "circle, square", '"alpha": 0.9'))
    assert main(["summary", str(labels.with_name("absent.h5"))]) == 2


def test_summary_command_counts_images_and_pixels_by_class(labels, capsys):
    assert main(["summary", str(labels)]) == 0
    shown = capsys.readouterr().out
    rows = re.findall(r"(\w+) +(\d) images +([\d.]+) %", shown)
    assert rows == [
        ("background", "2", "50.00"),
        ("circle", "1", "12.50"),
        ("square", "1", "12.50"),
        ("star", "1", "12.50"),
        ("unknown", "1", "12.50"),
    ]


def test_maps_and_saliency_have_no_regions(tmp_path, capsys):
    with StoreWriter(tmp_path / "s.h5", "saliency", CLASSES, {}) as writer:
        writer.write("a", LABELS)
    assert main(["export", str(tmp_path / "s.h5"), str(tmp_path / "x.json")]) == 2
    assert "saliency have no regions" in capsys.readouterr().err


def test_summaries_of_maps_and_saliency_say_how_they_spread(tmp_path, capsys):
    with StoreWriter(tmp_path / "s.h5", "saliency", CLASSES, {}) as writer:
        writer.write("a", np.array([[0, 255], [0, 130]], np.uint8))
    assert main(["summary", str(tmp_path / "s.h5")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"0\.0 to 0\.1 +1 images +50\.00 %", shown)
    assert re.search(r"0\.5 to 0\.6 +1 images +25\.00 %", shown)
    with StoreWriter(tmp_path / "m.h5", "maps", CLASSES, {}) as writer:
        write_maps(writer, "a", np.ones((2, 2, 2)), [1, 3], size=(4, 4))
        write_maps(writer, "b", np.ones((1, 2, 2)), [3], size=(4, 4))
    assert main(["summary", str(tmp_path / "m.h5")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"circle +1 images +50\.00 %", shown)
    assert re.search(r"star +2 images +100\.00 %", shown)


def test_export_writes_index_png_with_the_voc_palette(labels, tmp_path):
    assert main(["export", str(labels), str(tmp_path / "png")]) == 0
    with Image.open(tmp_path / "png" / "b.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), UNKNOWN)
        np.testing.assert_array_equal(np.array(image.convert("RGB")), palette()[UNKNOWN])


def test_export_writes_saliency_grey_and_refuses_maps(tmp_path, capsys):
    with StoreWriter(tmp_path / "s.h5", "saliency", CLASSES, {}) as writer:
        writer.write("a", LABELS * 60)
    assert main(["export", str(tmp_path / "s.h5"), str(tmp_path)]) == 0
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.array(image), LABELS * 60)
    with StoreWriter(tmp_path / "maps.h5", "maps", CLASSES, {}):
        pass
    assert main(["export", str(tmp_path / "maps.h5"), str(tmp_path)]) == 2
    assert "export labels or predictions" in capsys.readouterr().err


def test_another_file_is_not_called_a_damaged_store(tmp_path, capsys):
    table = tmp_path / "labels.csv"
    table.write_text("image,classes")
    assert main(["summary", str(table)]) == 2
    shown = capsys.readouterr().err
    assert "labels.csv: not a store" in shown and "delete" not in shown


def test_exported_labels_are_imported_as_they_were(labels, tmp_path, capsys):
    out = tmp_path / "again.h5"
    assert main(["export", str(labels), str(tmp_path / "png")]) == 0
    assert main(["import", str(tmp_path / "png"), str(out), "--classes", *CLASSES]) == 0
    assert "label maps of 2 images" in capsys.readouterr().out
    again = open_store(out, "labels")
    assert again.classes == CLASSES and again.settings == {"imported_from": "png"}
    np.testing.assert_array_equal(again["a"], LABELS)
    np.testing.assert_array_equal(again["b"], UNKNOWN)


def test_wrong_label_pngs_are_named_and_leave_no_file(tmp_path, capsys):
    folder, out = tmp_path / "png", tmp_path / "out.h5"
    folder.mkdir()
    assert main(["import", str(folder), str(out)]) == 2
    assert "no PNG files" in capsys.readouterr().err
    Image.fromarray(np.full((2, 2), 21, np.uint8)).save(folder / "x.png")
    assert main(["import", str(folder), str(out)]) == 2
    assert "x.png: values [21], expected 0..20 or 255" in capsys.readouterr().err
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)).save(folder / "x.png")
    assert main(["import", str(folder), str(out)]) == 2
    assert "mode RGB, expected an index or 8-bit grey PNG" in capsys.readouterr().err
    assert not out.exists()
