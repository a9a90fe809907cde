"""A trained network on new pictures: it predicts as the workflow does, whatever the pictures."""

import argparse
import importlib.util
import json
import re
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from getam_core.checkpoint import load_checkpoint, save_checkpoint
from getam_core.classes import SCENE_CLASSES
from getam_core.data import Entry
from getam_core.data.index import write_index
from getam_core.errors import InputError
from getam_core.networks import load_network, save_network
from getam_core.segment import Segmenter, results
from getam_core.segment.command import main
from getam_core.stores import open_store
from tests.networks import TINY
from tests.segment_kit import (
    SIZES,
    checkpoint_in,
    deeplab_checkpoint_in,
    masks_of,
    photos_in,
    picture,
    segment,
)
from workflow_scripts import predict, predict_deeplab


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoint_in(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def deeplab_checkpoint(tmp_path_factory):
    return deeplab_checkpoint_in(tmp_path_factory.mktemp("deeplabv2"))


@pytest.fixture
def photos(tmp_path):
    return photos_in(tmp_path)


def stage(script, folder, photos, checkpoint, settings):
    """Run a predict stage of the workflow on the photos, and return where it writes."""
    entries = [Entry(path.stem, path, "val", ()) for path in sorted(photos.iterdir())]
    write_index(folder / "index.csv", entries)
    files = {"index": folder / "index.csv", "checkpoint": checkpoint, "out": folder / "stage"}
    options = {"split": "val", "settings": json.dumps(settings), "device": "cpu", "threads": 1}
    options |= {"shard": 0, "shard_size": 100, "state": folder / "state"}
    script.main(argparse.Namespace(**files, **options))
    return files["out"]


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


def test_the_crf_sends_no_probabilities_back(checkpoint, photos, tmp_path, monkeypatch):
    segmenter = Segmenter.load(checkpoint, crf="getam", device="cpu")
    made, write = [], results.Results.write

    def seen(self, picture, digest, pixels, segmentation, *, overlay):
        made.append(segmentation)
        return write(self, picture, digest, pixels, segmentation, overlay=overlay)

    monkeypatch.setattr(results.Results, "write", seen)
    assert segment(photos, checkpoint, tmp_path / "out", "--crf") == 0
    assert len(made) == len(SIZES)
    for i, segmentation in enumerate(made):
        assert segmentation.probabilities is None and segmentation.scores is not None
        np.testing.assert_array_equal(segmentation.labels, segmenter(photos / f"{i}.png").labels)


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
