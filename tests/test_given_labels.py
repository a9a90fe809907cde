"""A run whose network learns from given label maps: the masks as a ceiling, or another run's."""

import json
from argparse import Namespace

import pytest
import yaml

from getam_core.errors import InputError
from getam_core.networks import read_supervision
from tests.labelled import write_labelled
from tests.tiny_workflow import TINY, Workflow
from workflow_scripts import command
from workflow_scripts.train import check_labels

TARGET = ["results/tiny/miou.json"]
MASKS = TINY["train"] | {"supervision": "masks"}
LABELLING = {"train_saliency", "make_saliency", "export_maps", "pseudo_labels", "evaluate_seed"}


@pytest.fixture(scope="module")
def ceiling(tmp_path_factory, repository):
    """A run that was trained on its masks."""
    workflow = Workflow(tmp_path_factory.mktemp("given"), repository)
    workflow.configure(train=MASKS)
    workflow.run(["results/tiny/index.csv"])  # known then: how many shards there are
    planned = workflow.planned(targets=TARGET)
    assert planned >= {"masks_as_labels", "train"} and not planned & LABELLING
    workflow.run(TARGET)
    return workflow


def test_the_ceiling_is_scored_alone_and_says_what_it_is(ceiling):
    (entry,) = ceiling.miou()["entries"]
    assert (entry["what"], entry["method"], entry["split"]) == ("segmentation", "masks", "val")
    metrics = (ceiling.folder / "results/tiny/train/metrics.csv").read_text().splitlines()
    row = dict(zip(metrics[0].split(","), metrics[-1].split(","), strict=True))
    assert float(row["loss_foreground"]) > 0 and float(row["loss_saliency"]) == 0


def test_resuming_depends_on_the_labels(tmp_path):
    index, labels = write_labelled(tmp_path)
    given = Namespace(index=index, saliency=None, labels=labels, settings="{}")

    def identity():
        return command.identity(given, "index", "saliency", "labels")

    before = identity()
    write_labelled(tmp_path, {"made": "anew"})
    assert set(before["inputs"]) == {"index", "labels"} and identity() != before


@pytest.mark.parametrize(
    ("made_from", "says", "classifier", "words"),
    [
        ("masks", "labels", None, "made from masks, but train.supervision is labels"),
        (None, "masks", None, "labels other than masks, but train.supervision is masks"),
        (None, "classes", None, "--labels: given, but train.supervision is classes"),
        ("none", "masks", None, "--labels: missing, but train.supervision is masks"),
        ("masks", "masks", "cnn", "--labels: given"),
    ],
)
def test_labels_and_settings_must_agree(tmp_path, made_from, says, classifier, words):
    _, labels = write_labelled(tmp_path, {"supervision": made_from} if made_from else {})
    given = Namespace(labels=None if made_from == "none" else labels, classifier=classifier)
    with pytest.raises(InputError, match=words):
        check_labels(given, says)


@pytest.mark.parametrize(
    ("made_from", "says", "classifier"),
    [
        ("masks", "masks", None),
        (None, "labels", None),
        ("none", "classes", None),
        ("none", "masks", "cnn"),
    ],
)
def test_labels_and_settings_that_agree_are_taken(tmp_path, made_from, says, classifier):
    _, labels = write_labelled(tmp_path, {"supervision": made_from} if made_from else {})
    check_labels(
        Namespace(labels=None if made_from == "none" else labels, classifier=classifier), says
    )


def test_maps_of_the_ceiling_and_labels_made_of_them_say_that_it_saw_masks(ceiling, tmp_path):
    network = ceiling.folder / "results/tiny/train/checkpoint.pt"
    assert read_supervision(network) == "masks"
    _, labels = write_labelled(tmp_path, {"made_from": {"supervision": "masks"}})
    with pytest.raises(InputError, match=r"made from masks, but train\.supervision is labels"):
        check_labels(Namespace(labels=labels, classifier=None), "labels")
    ceiling.run(["results/tiny/evaluation/seed_getam.json"])
    entry = json.loads((ceiling.folder / "results/tiny/evaluation/seed_getam.json").read_text())
    assert entry["settings"]["supervision"] == "masks"


def test_the_ceiling_has_no_pseudo_labels_and_says_why(ceiling):
    message = ceiling.refuse(["results/tiny/pseudo_labels/labels.h5"])
    assert "trained on masks (train.supervision)" in message


def test_what_is_made_of_the_ceiling_s_predictions_says_that_it_saw_masks(ceiling):
    planned = ceiling.run(["results/tiny/submission.json"], "--dry-run", "--printshellcmds")
    assert "make_submission --run tiny --method masks" in planned.stdout + planned.stderr


def test_another_run_s_labels_are_made_first(ceiling):
    labels = "results/teacher/pseudo_labels/labels.h5"
    ceiling.configure(train=TINY["train"] | {"supervision": "labels", "label_maps": labels})
    train = {"supervision": "classes", "label_maps": None, "classification_epochs": 2}
    teacher = yaml.safe_dump({"base": "tiny", "train": train})
    (ceiling.folder / "config" / "teacher.yaml").write_text(teacher)
    planned = ceiling.planned(targets=TARGET)
    assert planned >= {"prepare_data", "merge_labels", "train"}
    assert not planned & {"masks_as_labels", "evaluate_seed"}


def test_a_run_that_only_classifies_is_scored_without_its_decoder(ceiling):
    ceiling.configure(train=TINY["train"] | {"classification_epochs": 2})
    planned = ceiling.planned(targets=TARGET)
    assert planned >= LABELLING and not planned & {"predict", "evaluate_segmentation"}
    planned = ceiling.planned(targets=["results/tiny/report.html"])
    assert "report" in planned and "predict" not in planned
    message = ceiling.refuse(["results/tiny/evaluation/segmentation_val.json"])
    assert "its decoder learns nothing" in message
