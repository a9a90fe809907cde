"""A run whose network learns from given label maps: the masks as a ceiling, or another run's."""

import pytest
import yaml

from tests.tiny_workflow import TINY, Workflow

TARGET = ["results/tiny/miou.json"]
MASKS = TINY["train"] | {"supervision": "masks"}
LABELLING = {"train_saliency", "make_saliency", "export_maps", "pseudo_labels", "evaluate_seed"}


@pytest.fixture(scope="module")
def ceiling(tmp_path_factory, repository):
    """A run that was trained on its masks."""
    workflow = Workflow(tmp_path_factory.mktemp("given"), repository)
    workflow.configure(train=MASKS)
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


def test_there_are_no_pseudo_labels_of_it_and_it_says_why(ceiling):
    message = ceiling.refuse(["results/tiny/pseudo_labels/labels.h5"])
    assert "trained on masks (train.supervision)" in message


def test_another_run_s_labels_are_made_first(ceiling):
    labels = "results/teacher/pseudo_labels/labels.h5"
    ceiling.configure(train=TINY["train"] | {"supervision": "labels", "label_maps": labels})
    train = {"supervision": "classes", "label_maps": None, "classification_epochs": 2}
    teacher = yaml.safe_dump({"base": "tiny", "train": train})
    (ceiling.folder / "config" / "teacher.yaml").write_text(teacher)
    planned = ceiling.planned(targets=TARGET)
    assert planned >= {"prepare_data", "pseudo_labels", "train"}
    assert not planned & {"masks_as_labels", "evaluate_seed"}


def test_a_run_that_only_classifies_is_scored_without_its_decoder(ceiling):
    ceiling.configure(train=TINY["train"] | {"classification_epochs": 2})
    planned = ceiling.planned(targets=TARGET)
    assert planned >= LABELLING and not planned & {"predict", "evaluate_segmentation"}
