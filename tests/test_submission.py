"""From a list of unlabelled images to the archive that PASCAL VOC's evaluation server accepts."""

import io
import json
import tarfile
from argparse import Namespace

import cv2
import numpy as np
import pytest
from PIL import Image

from getam_core.classes import VOC_CLASSES, palette
from getam_core.data import read_index
from getam_core.errors import InputError
from getam_core.evaluation import write_submission
from getam_core.networks import build_network, save_network
from getam_core.settings import Settings
from getam_core.stores import StoreWriter, open_store
from tests.networks import TINY
from tests.voc_kit import write_list
from workflow_scripts import list_test, make_submission, predict

FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"
SIZES = {"2008_000006": (32, 40), "2008_000011": (24, 48)}
NETWORK = TINY | {"num_classes": len(VOC_CLASSES)}


@pytest.fixture
def devkit(tmp_path):
    """A devkit with only test images, as PASCAL VOC gives them: no annotations, no masks."""
    for name in ("JPEGImages", "ImageSets/Segmentation"):
        (tmp_path / "VOC2012" / name).mkdir(parents=True)
    for image_id, size in SIZES.items():
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"VOC2012/JPEGImages/{image_id}.jpg"), image)
    write_list(tmp_path / "VOC2012", "test", *SIZES)
    return tmp_path


def arguments(folder, /, **others):
    sections = {"predict": {"sizes": [32, None], "flip": False}}
    shared = {
        "settings": Settings.model_validate(sections).select("data", "predict", "submission"),
        "threads": 1,
        "device": "cpu",
        "index": folder / "index.csv",
        "predictions": folder / "test.h5",
    }
    return Namespace(**shared | others)


def read(path):
    """Return name to index image for every member."""
    with tarfile.open(path, "r:gz") as archive:
        return {
            member.name: Image.open(io.BytesIO(archive.extractfile(member).read()))
            for member in archive.getmembers()
        }


def test_an_archive_holds_the_predictions_of_all_test_images(devkit):
    checkpoint, out = devkit / "checkpoint.pt", devkit / "submission.tar.gz"
    save_network(checkpoint, build_network(**NETWORK), NETWORK, VOC_CLASSES)
    list_test.main(arguments(devkit, root=devkit, out=devkit / "index.csv"))
    assert {(entry.split, entry.classes) for entry in read_index(devkit / "index.csv")} == {
        ("test", ())
    }
    shard = {"state": devkit / "parts", "shard": 0, "shard_size": 100, "out": devkit / "test.h5"}
    predict.main(arguments(devkit, split="test", checkpoint=checkpoint, **shard))
    record = devkit / "submission.json"
    make_submission.main(arguments(devkit, run="r", method="getam", record=record, out=out))

    pictures, predictions = read(out), open_store(devkit / "test.h5", "predictions")
    assert list(pictures) == [f"{FOLDER}/{image_id}.png" for image_id in SIZES]
    for image_id, size in SIZES.items():
        picture = pictures[f"{FOLDER}/{image_id}.png"]
        assert picture.mode == "P" and picture.getpalette() == palette().ravel().tolist()
        assert np.asarray(picture).shape == size
        assert np.array_equal(np.asarray(picture), predictions[image_id])
    described = json.loads(record.read_text())
    assert described["settings"] == {
        "sizes": [32, None], "flip": False, "crf": False, "crf_recipe": "getam",
    }  # fmt: skip
    assert described["images"] == 2 and described["classes"] == list(VOC_CLASSES)


def write_predictions(path, kind="predictions", classes=VOC_CLASSES):
    with StoreWriter(path, kind, classes, {"predict": {}}) as writer:
        writer.write("a", np.arange(12, dtype=np.uint8).reshape(3, 4))
    return open_store(path)


def test_the_same_predictions_give_the_same_bytes(tmp_path):
    store = write_predictions(tmp_path / "test.h5")
    for name in ("one", "two"):
        write_submission(tmp_path / f"{name}.tar.gz", store, ["a"])
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_a_missing_image_or_another_kind_of_file_leaves_no_archive(tmp_path):
    store = write_predictions(tmp_path / "test.h5")
    with pytest.raises(InputError, match="holds no image 'b'"):
        write_submission(tmp_path / "x.tar.gz", store, ["a", "b"])
    labels = write_predictions(tmp_path / "labels.h5", "labels")
    with pytest.raises(InputError, match="holds labels, expected predictions"):
        write_submission(tmp_path / "x.tar.gz", labels, ["a"])
    assert not (tmp_path / "x.tar.gz").exists()


def test_other_classes_than_voc_s_are_named_in_the_log(tmp_path, caplog):
    write_predictions(tmp_path / "test.h5", classes=("cat", "dog"))
    (tmp_path / "index.csv").write_text("image_id,image,split,classes\na,/a.jpg,test,\n")
    paths = {"record": tmp_path / "r.json", "out": tmp_path / "s.tar.gz"}
    make_submission.main(arguments(tmp_path, run="r", method="getam", **paths))
    assert "expects VOC's 20 classes in their order; these are cat, dog" in caplog.text
