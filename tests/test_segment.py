"""A trained network on new pictures: it predicts as the workflow does, whatever the pictures."""

import argparse
import csv
import importlib.util
import json
import re
import shutil

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from getam_core.checkpoint import load_checkpoint, save_checkpoint
from getam_core.classes import SCENE_CLASSES, palette
from getam_core.data import Entry
from getam_core.data.index import write_index
from getam_core.deeplab import build_deeplab, save_deeplab
from getam_core.errors import InputError
from getam_core.networks import load_network, save_network
from getam_core.segment import Segmenter, results
from getam_core.segment.command import main
from getam_core.stores import open_store
from tests import labelled
from tests.networks import TINY, tiny_network
from workflow_scripts import predict, predict_deeplab

SIZES = ((40, 56), (56, 40), (33, 47))


def picture(i, size=(40, 56)):
    """Blobs of colour, so that a random network can tell places apart."""
    coarse = np.random.default_rng(i).integers(0, 256, (5, 7, 3), np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    network = tiny_network()
    for parameter in network.decoder.parameters():
        parameter.data *= 3
    network.decoder.fusion.head[-1].bias.data.zero_()
    path = tmp_path_factory.mktemp("train") / "checkpoint.pt"
    save_network(path, network, TINY, SCENE_CLASSES)
    return path


@pytest.fixture(scope="module")
def deeplab_checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    network = build_deeplab(**labelled.TINY)
    torch.nn.init.normal_(network.decode_head.classifiers[0].weight, std=0.3)
    for classifier in network.decode_head.classifiers:
        torch.nn.init.zeros_(classifier.bias)
    path = tmp_path_factory.mktemp("deeplabv2") / "checkpoint.pt"
    save_deeplab(
        path, network, labelled.TINY, classes=labelled.CLASSES, settings={"deeplab": {}}, labels={}
    )
    return path


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, size in enumerate(SIZES):
        Image.fromarray(picture(i, size)).save(folder / f"{i}.png")
    return folder


def masks_of(folder):
    return {
        path.relative_to(folder / "masks").as_posix(): np.array(Image.open(path))
        for path in sorted((folder / "masks").rglob("*.png"))
    }


def stage(script, folder, photos, checkpoint, settings):
    """Run a predict stage of the workflow on the photos, and return where it writes."""
    entries = [Entry(path.stem, path, "val", ()) for path in sorted(photos.iterdir())]
    write_index(folder / "index.csv", entries)
    files = {"index": folder / "index.csv", "checkpoint": checkpoint, "out": folder / "stage"}
    options = {"split": "val", "settings": json.dumps(settings), "device": "cpu", "threads": 1}
    options |= {"shard": 0, "shard_size": 100, "state": folder / "state"}
    script.main(argparse.Namespace(**files, **options))
    return files["out"]


def segment(photos, checkpoint, out, *options):
    command = [str(photos), "--model", str(checkpoint), "-o", str(out), "--device", "cpu"]
    return main([*command, "--threads", "1", *options])


def assert_equal(masks, store):
    store = open_store(store)
    assert sorted(masks) == sorted(f"{image_id}.png" for image_id in store.ids())
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, store[name.removesuffix(".png")])
    assert len(np.unique(np.concatenate([mask.ravel() for mask in masks.values()]))) > 1


@pytest.mark.parametrize("crf", [None, "getam", "afa"])
@pytest.mark.parametrize(("sizes", "flip"), [(["32", "48"], True), (["native"], False)])
def test_masks_are_those_of_the_predict_stage(checkpoint, photos, tmp_path, sizes, flip, crf):
    asked = [None if size == "native" else int(size) for size in sizes]
    settings = {"sizes": asked, "flip": flip, "crf": crf is not None, "crf_recipe": crf or "getam"}
    expected = stage(predict, tmp_path, photos, checkpoint, {"predict": settings})
    options = ["--sizes", *sizes, *["--no-flip"] * (not flip)]
    options += [] if crf is None else ["--crf", "--crf-recipe", crf]
    assert segment(photos, checkpoint, tmp_path / "out", *options) == 0
    assert_equal(masks_of(tmp_path / "out"), expected)


@pytest.mark.parametrize("crf", [False, True])
def test_a_large_picture_is_as_in_the_predict_stage_where_its_view_fits(checkpoint, tmp_path, crf):
    (tmp_path / "photos").mkdir()
    Image.fromarray(picture(0, (90, 120))).save(tmp_path / "photos/large.png")
    settings = {"sizes": [32], "flip": True, "crf": crf, "crf_recipe": "getam"}
    expected = stage(predict, tmp_path, tmp_path / "photos", checkpoint, {"predict": settings})
    options = ["--sizes", "32", "--tile", "64", *["--crf"] * crf]
    assert segment(tmp_path / "photos", checkpoint, tmp_path / "out", *options) == 0
    assert_equal(masks_of(tmp_path / "out"), expected)


@pytest.mark.parametrize("crf", [False, True])
def test_masks_of_deeplab_are_those_of_its_stage(deeplab_checkpoint, photos, tmp_path, crf):
    settings = {"deeplab_test": {"scales": [0.5, 1.0], "flip": True, "crf": crf}}
    out = stage(predict_deeplab, tmp_path, photos, deeplab_checkpoint, settings)
    options = ["--scales", "0.5", "1", *["--crf"] * crf]
    assert segment(photos, deeplab_checkpoint, tmp_path / "out", *options) == 0
    assert_equal(
        masks_of(tmp_path / "out"), out / ("predictions_crf.h5" if crf else "predictions.h5")
    )


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


def test_a_network_that_never_learned_to_segment_is_refused(checkpoint, tmp_path, capsys):
    content = load_checkpoint(checkpoint)
    save_network(tmp_path / "n.pt", load_network(checkpoint), TINY, SCENE_CLASSES, segments=False)
    command = ["--model", str(tmp_path / "n.pt"), "--export-onnx", str(tmp_path / "n.onnx")]
    with pytest.raises(InputError, match=r"classify only.*of a run that segments"):
        Segmenter.load(tmp_path / "n.pt", device="cpu")
    if importlib.util.find_spec("onnxscript") and importlib.util.find_spec("onnxruntime"):
        assert main(command) == 2 and "classify only" in capsys.readouterr().err
    del content["segments"]  # as in files from before it was recorded
    save_checkpoint(tmp_path / "old.pt", content)
    assert Segmenter.load(tmp_path / "old.pt", device="cpu").classes == tuple(SCENE_CLASSES)


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


def test_the_crf_sends_no_probabilities_back(checkpoint, photos, tmp_path, monkeypatch):
    segmenter = Segmenter.load(checkpoint, crf="getam", device="cpu")
    made, write = [], results.Results.write

    def seen(self, picture, digest, pixels, segmentation, *, overlay):
        made.append(segmentation)
        return write(self, picture, digest, pixels, segmentation, overlay=overlay)

    monkeypatch.setattr(results.Results, "write", seen)
    assert segment(photos, checkpoint, tmp_path / "out", "--crf") == 0
    for i, segmentation in enumerate(made):
        assert segmentation.probabilities is None and segmentation.scores is not None
        np.testing.assert_array_equal(segmentation.labels, segmenter(photos / f"{i}.png").labels)


def test_pictures_of_one_name_in_two_folders_have_two_masks(checkpoint, tmp_path):
    for i, name in enumerate(("x/p.png", "y/p.png")):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(picture(i, SIZES[i])).save(tmp_path / name)
    assert segment(tmp_path / "?" / "p.png", checkpoint, tmp_path / "out") == 0
    shapes = {name: mask.shape for name, mask in masks_of(tmp_path / "out").items()}
    assert shapes == {"x/p.png": SIZES[0], "y/p.png": SIZES[1]}


def test_pictures_of_every_form_are_taken_as_they_look(checkpoint, tmp_path):
    segmenter = Segmenter.load(checkpoint, device="cpu")
    pixels = picture(0)
    expected = segmenter(pixels)
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(pixels)))
    exif = turned.getexif()
    exif[0x0112] = 6  # turn it by 90 degrees clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "opaque.png")
    forms = [tmp_path / "turned.png", str(tmp_path / "opaque.png"), Image.fromarray(opaque)]
    forms += [Image.open(tmp_path / "turned.png"), Image.fromarray(pixels)]
    for form in forms:
        np.testing.assert_array_equal(segmenter(form).probabilities, expected.probabilities)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    three = np.repeat(grey[..., None], 3, axis=2)
    for form in (tmp_path / "grey.png", Image.fromarray(grey)):
        np.testing.assert_array_equal(segmenter(form).labels, segmenter(three).labels)


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_arrays_of_other_forms_are_refused(array, checkpoint):
    with pytest.raises(InputError, match="uint8 RGB"):
        Segmenter.load(checkpoint, device="cpu")(array)


def test_a_segmentation_is_what_it_says(checkpoint):
    made = Segmenter.load(checkpoint, crf="getam", device="cpu")(picture(0))
    np.testing.assert_array_equal(made.labels, made.probabilities.argmax(axis=0))
    np.testing.assert_allclose(made.probabilities.sum(axis=0), 1, atol=1e-4)
    assert made.labels.dtype == np.uint8 and made.scores.shape == (len(SCENE_CLASSES),)
    assert ((made.scores > 0) & (made.scores < 1)).all()


def test_the_lines_of_the_readme_run(checkpoint, repository, tmp_path, monkeypatch, capsys):
    page = (repository / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^```python\n([^`]*Segmenter\.load.*?)^```", page, re.M | re.S)
    (tmp_path / "results/own/train").mkdir(parents=True)
    shutil.copy(checkpoint, tmp_path / "results/own/train/checkpoint.pt")
    Image.fromarray(picture(0)).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    said = capsys.readouterr().out.splitlines()
    assert (said[0], said[2]) == ("(40, 56)", "(7, 40, 56)") and "'circle': " in said[1]
