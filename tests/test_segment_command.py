"""The command that segments new pictures: what it writes, resumes, and refuses by name."""

import csv

import numpy as np
import pytest
from PIL import Image

from getam_core.classes import SCENE_CLASSES, palette
from getam_core.segment import Segmenter, results
from getam_core.segment.command import main
from tests.segment_kit import (
    SIZES,
    checkpoint_in,
    deeplab_checkpoint_in,
    masks_of,
    photos_in,
    picture,
    segment,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoint_in(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def deeplab_checkpoint(tmp_path_factory):
    return deeplab_checkpoint_in(tmp_path_factory.mktemp("deeplabv2"))


@pytest.fixture
def photos(tmp_path):
    return photos_in(tmp_path)


def table_of(out):
    with (out / "segment.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_scores_and_areas(checkpoint, photos, tmp_path):
    assert segment(photos, checkpoint, tmp_path / "out", "--sizes", "native") == 0
    segmenter = Segmenter.load(checkpoint, sizes=[None], device="cpu")
    rows = table_of(tmp_path / "out")
    assert [row["picture"] for row in rows] == [str(photos / f"{i}.png") for i in range(3)]
    for row, size in zip(rows, SIZES, strict=True):
        made = segmenter(row["picture"])
        assert (int(row["height"]), int(row["width"])) == size == made.labels.shape
        scores = [float(row[f"score {name}"]) for name in SCENE_CLASSES]
        np.testing.assert_allclose(scores, made.scores, atol=1e-6)
        areas = [float(row[f"area {name}"]) for name in ("background", *SCENE_CLASSES)]
        np.testing.assert_allclose(areas, [(made.labels == k).mean() for k in range(7)], atol=1e-6)
        assert Image.open(tmp_path / "out" / row["mask"]).getpalette()[:21] == [
            *palette()[:7].ravel()
        ]


def test_overlays_are_drawn_and_the_table_of_deeplab_has_no_scores(
    deeplab_checkpoint, photos, tmp_path
):
    assert segment(photos, deeplab_checkpoint, tmp_path / "out", "--overlay") == 0
    assert Image.open(tmp_path / "out" / "overlays" / "2.jpg").size == SIZES[2][::-1]
    row = table_of(tmp_path / "out")[0]
    assert row["score red"] == "" and 0 <= float(row["area red"]) <= 1


def test_a_stopped_command_goes_on(checkpoint, photos, tmp_path, monkeypatch, capsys):
    seen, real = [], Segmenter.before_crf

    def until_the_second(self, pixels):
        seen.append(pixels)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(self, pixels)

    monkeypatch.setattr(Segmenter, "before_crf", until_the_second)
    assert segment(photos, checkpoint, tmp_path / "out") == 130
    assert [row["mask"] for row in table_of(tmp_path / "out")] == ["masks/0.png"]
    assert segment(photos, checkpoint, tmp_path / "out") == 0
    assert len(seen) == 4 and len(table_of(tmp_path / "out")) == 3
    assert "2 masks made, 1 already existed" in capsys.readouterr().out


def test_a_picture_that_changed_and_a_damaged_mask_are_made_again(
    checkpoint, photos, tmp_path, capsys
):
    out = tmp_path / "out"
    assert segment(photos, checkpoint, out) == 0
    whole = masks_of(out)
    (out / "masks" / "0.png").write_bytes((out / "masks" / "0.png").read_bytes()[:60])
    (photos / "1.png").write_bytes((photos / "2.png").read_bytes())
    assert segment(photos, checkpoint, out) == 0
    assert "2 masks made, 1 already existed" in capsys.readouterr().out
    again = masks_of(out)
    np.testing.assert_array_equal(again["0.png"], whole["0.png"])
    np.testing.assert_array_equal(again["1.png"], whole["2.png"])


def test_results_of_other_settings_are_not_mixed(checkpoint, photos, tmp_path, capsys):
    assert segment(photos, checkpoint, tmp_path / "out") == 0
    assert segment(photos, checkpoint, tmp_path / "out", "--sizes", "48") == 2
    assert "settings.sizes ([32] before, [48] now)" in capsys.readouterr().err
    assert segment(photos, checkpoint, photos) == 2  # masks would replace the pictures
    assert "holds files that this command did not write" in capsys.readouterr().err


def test_wrong_pictures_are_named_and_the_others_are_made(checkpoint, photos, tmp_path, capsys):
    whole = (photos / "0.png").read_bytes()
    (photos / "half.png").write_bytes(whole[: len(whole) // 2])
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("no picture")
    clear = np.zeros((9, 9, 4), np.uint8)
    Image.fromarray(clear).save(photos / "clear.png")
    assert segment(photos, checkpoint, tmp_path / "out") == 1
    assert sorted(masks_of(tmp_path / "out")) == ["0.png", "1.png", "2.png"]
    said = capsys.readouterr().err
    assert "4 of the pictures could not be read" in said
    for name in ("half.png: cannot", "empty.jpg: empty", "text.jpg: cannot", "clear.png: transp"):
        assert f"  {photos / name}" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none.jpg", "--model", "MODEL"], "none.jpg: no such file or folder"),
        (["*.none", "--model", "MODEL"], "no file matches"),
        ([".", "--model", "MODEL"], "contains no pictures"),
        (["a.png", "--model", "a.png"], "not a readable checkpoint"),
        (["a.png", "--model", "MODEL", "--scales", "1"], "scales are for DeepLabv2"),
        (["a.png", "--model", "MODEL", "--tile", "100"], "a multiple of 8"),
    ],
)
def test_wrong_input_is_named_before_the_work(
    options, message, checkpoint, tmp_path, monkeypatch, capsys
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    if "a.png" in options:
        Image.fromarray(picture(0)).save("a.png")
    options = [str(checkpoint) if word == "MODEL" else word for word in options]
    assert main([*options, "-o", "out", "--device", "cpu"]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "empty/out").exists()


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["a.jpg"],
        ["-o", "out"],
        ["a.jpg", "--export-onnx", "n.onnx"],
        ["-o", "out", "--export-onnx", "n.onnx"],
    ],
)
def test_pictures_and_a_folder_for_their_results_go_together(options, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--model", "none.pt", *options])
    assert ended.value.code == 2 and "give pictures and -o FOLDER" in capsys.readouterr().err


def test_masks_of_other_pictures_are_not_overwritten(checkpoint, tmp_path, monkeypatch, capsys):
    for i, day in enumerate(("monday", "tuesday")):
        (tmp_path / day).mkdir()
        Image.fromarray(picture(i)).save(tmp_path / day / "1.png")
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    assert segment("monday", checkpoint, out) == 0
    before = masks_of(out)["1.png"]
    assert segment("tuesday", checkpoint, out) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "monday/1.png") in said and "give another folder (-o)" in said
    np.testing.assert_array_equal(masks_of(out)["1.png"], before)
    assert segment(tmp_path / "tuesday/../monday", checkpoint, out) == 0  # spelled otherwise


def test_an_overlay_of_an_older_mask_is_replaced(checkpoint, photos, tmp_path):
    drawing = tmp_path / "out/overlays/0.jpg"
    assert segment(photos, checkpoint, tmp_path / "out", "--overlay") == 0
    before = drawing.read_bytes()
    (photos / "0.png").write_bytes((photos / "1.png").read_bytes())
    assert segment(photos, checkpoint, tmp_path / "out") == 0
    assert not drawing.exists()
    assert segment(photos, checkpoint, tmp_path / "out", "--overlay") == 0
    assert drawing.read_bytes() != before


def test_a_picture_that_no_jpeg_can_hold_has_its_mask(
    checkpoint, photos, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(results, "JPEG_SIDE", 50)
    out = tmp_path / "out"
    assert segment(photos, checkpoint, out, "--overlay") == 0
    assert sorted(masks_of(out)) == ["0.png", "1.png", "2.png"]
    assert [path.name for path in (out / "overlays").iterdir()] == ["2.jpg"]
    assert f"{photos / '0.png'}: no overlay: JPEG allows" in capsys.readouterr().err
    assert segment(photos, checkpoint, out, "--overlay") == 0
    assert "0 masks made, 3 already existed" in capsys.readouterr().out


def test_pictures_of_one_name_in_two_folders_have_two_masks(checkpoint, tmp_path):
    for i, name in enumerate(("x/p.png", "y/p.png")):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(picture(i, SIZES[i])).save(tmp_path / name)
    assert segment(tmp_path / "?" / "p.png", checkpoint, tmp_path / "out") == 0
    shapes = {name: mask.shape for name, mask in masks_of(tmp_path / "out").items()}
    assert shapes == {"x/p.png": SIZES[0], "y/p.png": SIZES[1]}
