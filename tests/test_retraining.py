"""Retraining in the workflow: on masks, if the run says so; on its own or others' labels."""

import csv
import json

import numpy as np
import pytest

from getam_core.data.label_maps import check_supervision
from getam_core.errors import InputError
from getam_core.evaluation import read_mask, read_mask_index
from getam_core.stores import StoreWriter, open_store
from tests.labelled import write_labelled
from tests.tiny_workflow import Workflow

TARGET = ["results/tiny/deeplabv2/miou.json"]
DEEPLAB = {
    "depth": 18,
    "width": 8,
    "weights": None,
    "batch_norm": "trained",
    "dilations": [1, 2],
    "iterations": 20,
    "batch_size": 4,
    "crop_size": 33,
    "learning_rate": 0.01,
    "head_rate": 1.0,
}
TEST = {"scales": [1.0, 1.5]}
MASKS = DEEPLAB | {"supervision": "masks"}
RETRAINING = {
    "retrain_deeplab", "predict_deeplab", "merge_deeplab", "evaluate_deeplab",
    "merge_deeplab_entries",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory, repository):
    """A run retrained on its masks, which needs nothing else from the workflow."""
    workflow = Workflow(tmp_path_factory.mktemp("retraining"), repository)
    workflow.configure(deeplab=MASKS, deeplab_test=TEST)
    workflow.run(TARGET)
    return workflow


def test_the_ceiling_is_scored_with_crf_and_without_and_says_what_it_learnt_from(finished):
    entries = json.loads((finished.folder / TARGET[0]).read_text())["entries"]
    assert [e["settings"].pop("crf") for e in entries] == [False, True]
    for entry in entries:
        assert (entry["what"], entry["method"], entry["split"]) == ("deeplabv2", "masks", "val")
        assert entry["images"] == 12 and entry["settings"] == {
            "supervision": "masks",
            "initial_weights": "random",
            "flip": True,
            **TEST,
            **{k: DEEPLAB[k] for k in ("depth", "width", "batch_norm", "iterations")},
            **{k: DEEPLAB[k] for k in ("batch_size", "crop_size")},
        }


def test_what_is_written_follows_the_documented_format(finished):
    made = finished.folder / "results/tiny"
    for name in ("predictions", "predictions_crf"):
        store = open_store(made / f"deeplabv2/val/{name}.h5", "predictions")
        labels, attributes = store.read("val_00000")
        assert labels.shape == (32, 32) and labels.max() <= 6 and attributes == {}
    with (made / "deeplabv2/metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["10", "20"]
    assert list((made / "deeplabv2/tensorboard").iterdir())
    assert not (made / "state/deeplabv2.pt").exists()


def test_a_test_key_predicts_again_and_a_training_key_trains_again(finished):
    def planned(**sections):
        finished.configure(**{"deeplab": MASKS, "deeplab_test": TEST} | sections)
        return finished.planned(targets=TARGET)

    assert planned() == set()
    assert planned(gpus=2) == set()
    assert planned(deeplab=MASKS | {"checkpoint_minutes": 1}) == set()
    assert planned(deeplab_test={"scales": [1.0]}) == RETRAINING - {"retrain_deeplab"}
    assert planned(deeplab=MASKS | {"iterations": 30}) == RETRAINING


def test_other_people_s_labels_need_neither_maps_nor_masks_of_training_images(finished, tmp_path):
    with StoreWriter(tmp_path / "others.h5", "labels", ["circle"], {}):
        pass
    finished.configure(deeplab=DEEPLAB | {"labels": str(tmp_path / "others.h5")})
    assert finished.planned(targets=TARGET) == RETRAINING


def test_the_run_s_own_labels_are_made_first_and_its_network_stands_beside(finished):
    finished.configure(deeplab=DEEPLAB)
    planned = finished.planned(targets=TARGET)
    assert planned >= RETRAINING | {"train", "pseudo_labels", "evaluate_segmentation"}
    assert "masks_as_labels" not in planned
    finished.configure(deeplab=DEEPLAB, evaluate={"deeplabv2": True})
    assert "retrain_deeplab" in finished.planned(targets=["results/tiny/miou.json"])
    finished.configure(deeplab=DEEPLAB)
    assert "retrain_deeplab" not in finished.planned(targets=["results/tiny/miou.json"])


@pytest.mark.parametrize(("made_from", "says"), [("masks", "labels"), (None, "masks")])
def test_masks_under_another_name_are_refused(tmp_path, made_from, says):
    _, labels = write_labelled(tmp_path, {"supervision": made_from} if made_from else {})
    with pytest.raises(InputError, match=f"deeplab.supervision is {says}"):
        check_supervision(labels, says, "deeplab.supervision")


def test_masks_become_label_maps_unchanged(finished):
    made = finished.folder / "results/tiny/evaluation"
    store = open_store(made / "masks_train.h5", "labels")
    assert store.settings == {"supervision": "masks"} and len(store) == 40
    for image_id, path in list(read_mask_index(made / "masks_train.csv").items())[:5]:
        np.testing.assert_array_equal(store[image_id], read_mask(path))
