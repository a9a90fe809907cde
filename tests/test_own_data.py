"""Own pictures through the workflow: planned, checked, refused in one report, labelled."""

import argparse
import importlib
import json
import shutil
from html import escape

import cv2
import numpy as np
import pytest

from getam_core.settings import load_settings
from getam_core.stores import open_store
from tests.own_kit import ODD_NAMES, append_label, class_folders, own_folder, picture
from tests.tiny_workflow import Workflow

RUN = """
device: cpu
data: {layout: folder, root: pictures}
model:
  name: vit_tiny_patch16_224
  image_size: 32
  options: {patch_size: 8, embed_dim: 16, depth: 2, num_heads: 2}
  weights: null
  decoder_width: 8
saliency: {source: none}
train: {epochs: 1, classification_epochs: 0, crop_size: 32, scale_range: [32, 40]}
"""
RETRAINING = """
deeplab:
  {depth: 18, width: 8, weights: null, batch_norm: trained, dilations: [1], crop_size: 33,
   iterations: 3}
deeplab_test: {scales: [1.0], flip: false, crf: false}
"""
LABELS = "results/tiny/pseudo_labels/labels.h5"


class Stages:
    """The commands of a run, called as functions: separate processes would each import torch."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tiny.yaml").write_text(RUN + RETRAINING)
        self.settings = load_settings(folder / "tiny.yaml").model_dump_json()

    def __call__(self, stage, *, files, **others):
        common = {
            "settings": self.settings,
            "threads": 1,
            "device": "cpu",
            "anew": False,
            "log": None,
        }
        paths = {name: self.folder / file for name, file in files.items()}
        module = importlib.import_module(f"workflow_scripts.{stage}")
        module.main(argparse.Namespace(**common, **paths, **others))


def test_folders_of_pictures_become_labels_figures_and_a_report_whatever_their_names(tmp_path):
    """The classes found in the data are those of every file of the run."""
    classes = sorted(ODD_NAMES)
    pictures = class_folders(tmp_path / "pictures", 3, classes)
    for k, name in enumerate(classes, start=1):
        for image in (pictures / name).iterdir():
            mask = picture(pictures / "masks" / image.name)
            cv2.imwrite(str(mask), np.full((12, 16), k, np.uint8))
    stage = Stages(tmp_path)
    index = {"index": "index.csv"}
    network = index | {"checkpoint": "checkpoint.pt"}
    stage("prepare_data", files={"root": "pictures", "out": "index.csv"})
    state = {"state": "train.pt", "events": "events", "metrics": "metrics.csv"}
    files = index | state | {"out": "checkpoint.pt"}
    stage("train", files=files, saliency=None, labels=None, classifier=None)
    shard, parts = {"shard": 0, "shard_size": 30}, {"state": "parts"}
    files = network | parts | {"out": "maps.h5"}
    stage("export_maps", files=files, method="getam", split="train", **shard)
    made = index | {"maps": "maps.h5", "out": "labels.h5"}
    stage("pseudo_labels", files=made | parts, saliency=None, split="train", **shard)
    stage("predict", files=network | parts | {"out": "predictions.h5"}, split="val", **shard)
    for split, store in (("train", "labels.h5"), ("val", "predictions.h5")):
        masks = index | {"root": "pictures", "out": f"masks_{split}.csv"}
        stage("check_masks", files=masks, split=split)
        scored = index | {"masks": f"masks_{split}.csv", "labels": store, "out": f"{split}.json"}
        scored |= {"images": f"images_{split}.csv", "confusion": "confusion.csv"}
        stage("evaluate_labels", files=scored, split=split, method="getam", counts=None)
        assert open_store(tmp_path / store).classes == tuple(classes)
    state = {"state": "deeplab.pt", "events": "events", "metrics": "retrained.csv"}
    stage("retrain_deeplab", files=made | state | {"labels": "labels.h5", "out": "deeplab"})
    files = index | parts | {"checkpoint": "deeplab", "out": "."}
    stage("predict_deeplab", files=files, split="val", **shard)
    retrained = masks | {"labels": "predictions.h5", "masks": "masks_val.csv", "out": "last.json"}
    retrained |= {"images": "last.csv", "confusion": "confusion.csv"}
    stage("evaluate_labels", files=retrained, split="val", method="getam", counts=None)
    entries = [tmp_path / f"{name}.json" for name in ("train", "val", "last")]
    stage("merge_entries", files=index | {"out": "miou.json"}, run="tiny", entries=entries)
    miou = json.loads((tmp_path / "miou.json").read_text())
    assert miou["classes"] == classes
    assert [(e["split"], e["images"]) for e in miou["entries"]] == [
        ("train", 24),
        ("val", 6),
        ("val", 6),
    ]
    shown = {"maps": [tmp_path / "maps.h5"], "predictions": tmp_path / "predictions.h5"}
    shown |= {"saliency": None}
    seen = index | {"labels": "labels.h5"}
    stage("overview", files=seen | {"out": "overview.png"}, **shown)
    seen |= {"miou": "miou.json", "metrics": "metrics.csv", "picture": "picture.png"}
    masks = [tmp_path / f"masks_{split}.csv" for split in ("train", "val")]
    seen |= {"confusion": "confusion.csv", "benchmarks": "benchmarks", "ablation": "ablation"}
    seen |= {"out": "report.html"}
    shown |= {"mious": [tmp_path / f"images_{split}.csv" for split in ("train", "val")]}
    stage("report", files=seen, run="tiny", masks=masks, **shown)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f'<td class="name">{escape(name)}</td>' in page for name in classes)


@pytest.fixture
def workflow(tmp_path, repository):
    workflow = Workflow(tmp_path, repository)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "tiny.yaml").write_text(RUN)
    return workflow


def listed(folder, run):
    """Write an index of one image, so that the stages after it can be planned."""
    (folder / "results" / run).mkdir(parents=True)
    rows = "image_id,image,split,classes\na,/a.jpg,train,cat\n"
    (folder / "results" / run / "index.csv").write_text(rows)


def test_wrong_data_is_one_report_before_any_training(workflow):
    own_folder(workflow.folder / "pictures")
    append_label(workflow.folder / "pictures", *(f"gone{i}.jpg,cat" for i in range(25)))
    said = workflow.refuse([LABELS])
    assert "25 problems" in said and "labels.csv, line 12: gone0.jpg is not in images/" in said
    assert "gone24.jpg" not in said
    assert "logs/prepare_data.log:\nERROR: the data set" in said.partition("Exiting because")[2]
    assert "gone24.jpg" in (workflow.folder / "results/tiny/logs/prepare_data.log").read_text()
    assert not (workflow.folder / "results/tiny/train").exists()


def test_no_saliency_stage_is_planned_for_source_none(workflow):
    own_folder(workflow.folder / "pictures")
    listed(workflow.folder, "tiny")
    planned = workflow.planned(targets=[LABELS])
    assert planned == {"train", "export_maps", "merge_maps", "pseudo_labels", "merge_labels"}


@pytest.mark.parametrize("run", ["voc", "coco"])
def test_the_paper_s_runs_are_planned_and_load_nothing(tmp_path, repository, run):
    workflow = Workflow(tmp_path, repository)
    (tmp_path / "config").mkdir()
    shutil.copy(repository / "config" / f"{run}.yaml", tmp_path / "config")
    (tmp_path / "root" / "DUTS-TR").mkdir(parents=True)
    listed(tmp_path, run)
    targets = [f"results/{run}/miou.json", f"results/{run}/report.html"]
    planned = workflow.planned("--config", "data_root=root", targets=targets)
    assert {"train_saliency", "train", "evaluate_pseudo_labels", "report"} <= planned
    assert not any("fetch" in rule or "unpack" in rule for rule in planned)


def test_public_data_is_loaded_when_asked_for_by_name(workflow):
    planned = workflow.planned(targets=["fetch_coco"])
    assert planned == {"fetch_archive", "unpack_archives", "fetch_coco"}
