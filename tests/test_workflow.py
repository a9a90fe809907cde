"""The whole workflow on a tiny made data set, then asked what it would do after a change."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from PIL import Image

from getam_core.classes import SCENE_CLASSES
from getam_core.settings import SWEEPS
from getam_core.stores import open_store
from tests.opened import opened_files
from tests.tiny_workflow import END, TINY, Workflow

LABEL_STAGE = {
    "pseudo_labels", "merge_labels", "evaluate_pseudo_labels", "merge_entries", "report",
}  # fmt: skip
BEFORE_EVALUATION = [
    "results/tiny/pseudo_labels/labels.h5",
    "results/tiny/grad_cam/maps.h5",
    "results/tiny/cam_ignore/maps.h5",
    "results/tiny/predictions/val.h5",
    "results/tiny/predictions/png",
    "results/tiny/overview.png",
    "results/tiny/review.csv",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, repository):
    """A finished run, with a record of the masks that were opened before evaluation."""
    workflow = Workflow(tmp_path_factory.mktemp("workflow"), repository)
    workflow.configure()
    workflow.run(["results/tiny/scenes/ImageSets/Segmentation/val.txt"])
    masks = workflow.folder / "results/tiny/scenes/SegmentationClass"
    with opened_files(masks) as opened:
        workflow.run(BEFORE_EVALUATION)
        workflow.opened_before_evaluation = list(opened())
        next(masks.iterdir()).read_bytes()
        workflow.opened_by_this_test = list(opened())
    workflow.run(END)
    return workflow


def test_a_run_ends_with_every_entry_and_a_report(finished):
    entries = finished.miou()["entries"]
    assert [(e["what"], e["method"], e["split"], e["images"]) for e in entries] == [
        ("seed", "cam_ignore", "train", 40),
        ("seed", "getam", "train", 40),
        ("seed", "grad_cam", "train", 40),
        ("pseudo_labels", "getam", "train", 40),
        ("segmentation", "getam", "val", 12),
    ]
    assert all(0 <= entry["miou"] <= 100 for entry in entries)
    report = (finished.folder / "results/tiny/report.html").read_text()
    assert "src=\"http" not in report and "Training images" in report  # fmt: skip
    assert (finished.folder / "results/tiny/train/metrics.csv").stat().st_size > 0


def test_no_mask_is_opened_before_evaluation(finished):
    assert finished.opened_before_evaluation == []
    assert finished.opened_by_this_test != [], "the watch itself must see an open file"


def test_a_finished_run_plans_nothing(finished):
    finished.configure()
    assert finished.planned() == set()


def test_a_submission_trains_nothing_whatever_its_list(finished):
    finished.configure(submission={"list": "val"})
    assert finished.planned() <= {"report"}
    planned = finished.planned(targets=["results/tiny/submission.tar.gz"])
    assert planned == {"list_test", "merge_predictions", "make_submission"}


@pytest.mark.parametrize("by", ["file", "command line"])
def test_alpha_replans_the_labels_and_what_follows_alone(finished, by):
    if by == "file":
        finished.configure(pseudo_labels={"alpha": 0.7})
        assert finished.planned() == LABEL_STAGE
    else:
        finished.configure()
        assert finished.planned("--config", "pseudo_labels={alpha: 0.7}") == LABEL_STAGE
        same = finished.planned("--config", "pseudo_labels={alpha: 0.9}")
        assert same == set()


def test_a_training_key_replans_training_and_what_follows(finished):
    finished.configure(train=TINY["train"] | {"batch_size": 5})
    assert finished.planned() == LABEL_STAGE | {
        "train",
        "export_maps",
        "merge_maps",
        "predict",
        "merge_predictions",
        "evaluate_seed",
        "evaluate_segmentation",
    }


def test_when_states_are_saved_replans_nothing_and_reaches_a_training(finished):
    saving = {"checkpoint_minutes": 1.0, "keep_best": True, "keep_last": 2, "resume_from": "a b.pt"}
    (finished.folder / "a b.pt").touch()
    finished.configure(train=TINY["train"] | saving)
    assert finished.planned() == set()
    again = ("--dry-run", "--forcerun", "train", "--printshellcmds")
    command = shlex.split(finished.run(END[:1], *again).stdout.split("workflow_scripts.train ")[1])
    assert json.loads(command[command.index("--saving") + 1]) == {"train": saving}


def test_a_key_of_the_maps_makes_them_again_though_their_shards_are_gone(finished):
    assert not list(finished.folder.glob("results/tiny/*/shards/*.h5"))
    finished.configure(maps={"flip": False})
    assert finished.planned() == LABEL_STAGE | {"export_maps", "merge_maps", "evaluate_seed"}


def test_maps_do_not_depend_on_shards(finished, tmp_path, repository):
    shutil.copytree(finished.folder / "results", tmp_path / "results")
    shutil.copytree(finished.folder / ".snakemake", tmp_path / ".snakemake")
    workflow = Workflow(tmp_path, repository)
    workflow.configure(shard_size=24)
    done = workflow.run(["results/tiny/getam/maps.h5"])
    assert {f"maps_getam_{i}" in done.stdout + done.stderr for i in (0, 1)} == {True}
    maps = "results/tiny/getam/maps.h5"
    sharded, whole = open_store(tmp_path / maps), open_store(finished.folder / maps)
    assert list(sharded) == list(whole)
    for image_id in whole:  # other batches round differently, and float16 rounds again
        np.testing.assert_allclose(sharded[image_id], whole[image_id], atol=2**-11)
    assert not list(tmp_path.glob("results/tiny/state/maps*"))


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_scores_the_run_s_own_labels_as_miou_json_does(finished, sweep):
    finished.configure()
    made = finished.folder / "results/tiny"
    finished.run([f"results/tiny/ablation/{sweep}.json"])
    entries = json.loads((made / f"ablation/{sweep}.json").read_text())["entries"]
    (labels,) = (e for e in finished.miou()["entries"] if e["what"] == "pseudo_labels")
    (own,) = (entry for entry in entries if entry["settings"] == labels["settings"])
    assert {**own, "variant": None} == {**labels, "variant": None}
    assert len({entry["variant"] for entry in entries}) == len(entries) > 1
    assert (made / f"ablation/{sweep}.png").read_bytes().startswith(b"\x89PNG")


def test_runs_and_getam_s_choices_are_compared_and_the_report_shows_them(
    finished, tmp_path, repository
):
    shutil.copytree(finished.folder / "results", tmp_path / "results")
    shutil.copytree(finished.folder / ".snakemake", tmp_path / ".snakemake")
    workflow, made, rows = (
        Workflow(tmp_path, repository),
        tmp_path / "results/tiny",
        {"GETAM": "tiny"},
    )
    workflow.configure(tables={"table1": rows, "table3": rows}, evaluate={"network_labels": True})
    names = ("table1", "table3", "fusion", "blocks")
    files = [f"results/tiny/ablation/{name}.json" for name in names]
    workflow.run([*files, "results/tiny/miou.json"])
    of_run = {(e["what"], e["split"], e["method"]): e["miou"] for e in workflow.miou()["entries"]}
    assert of_run["pseudo_labels", "train", "network"] > 0
    for name in names[:2]:
        for entry in json.loads((made / f"ablation/{name}.json").read_text())["entries"]:
            kind = entry["what"], entry["split"], "getam"
            assert entry["runs"] == {"tiny": entry["miou"]}
            assert entry["miou"] == of_run.get(kind, entry["miou"])
            assert entry.get("comparable", False) is False
    with h5py.File(made / "pseudo_labels/labels_val.h5") as file:
        assert len(file["images"]) == 12
    workflow.run(["results/tiny/report.html"])
    report = (made / "report.html").read_text()
    assert all(f"<h2>{title}" in report for title in ("Table 1", "Table 3", "Fusion", "Blocks"))


def test_maps_of_val_and_png_labels_are_made_when_asked_for(finished):
    finished.configure()
    made = finished.folder / "results/tiny"
    finished.run(["results/tiny/getam/maps_val.h5", "results/tiny/pseudo_labels/png"])
    with h5py.File(made / "getam/maps_val.h5") as file:
        assert len(file["images"]) == 12
        assert len(json.loads(file.attrs["settings"])["checkpoint"]) == 64
    assert len(list((made / "pseudo_labels/png").glob("*.png"))) == 40


def test_predictions_are_pngs_of_the_images_names_whose_colours_are_voc_s(finished):
    made = finished.folder / "results/tiny/predictions"
    with h5py.File(made / "val.h5") as file:
        assert {path.stem for path in (made / "png").glob("*.png")} == set(file["images"])
        image_id, stored = next(iter(file["images"].items()))
        with Image.open(made / "png" / f"{image_id}.png") as png:
            assert png.mode == "P" and png.getpalette()[:6] == [0, 0, 0, 128, 0, 0]
            np.testing.assert_array_equal(np.asarray(png), stored[()])


def test_a_touched_source_file_or_configuration_replans_nothing(finished, repository):
    finished.configure()
    sources = ["getam_core/training/loop.py", "workflow_scripts/train.py", "Snakefile"]
    paths = [repository / source for source in sources]
    times = [path.stat() for path in paths]
    try:
        for path in paths:
            path.touch()
        assert finished.planned() == set()
    finally:
        for path, before in zip(paths, times, strict=True):
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_rerunning_the_labels_with_another_alpha_changes_them_and_keeps_the_maps(finished):
    maps = finished.folder / "results/tiny/getam/maps.h5"
    before, stamp = finished.miou(), maps.stat().st_mtime_ns
    finished.configure(pseudo_labels={"alpha": 0.2, "refinement": "none"})
    finished.run(END[:1])
    by_what = {entry["what"]: entry for entry in finished.miou()["entries"]}
    assert by_what["pseudo_labels"]["settings"]["alpha"] == 0.2
    assert maps.stat().st_mtime_ns == stamp
    finished.configure()
    finished.run(END[:1])
    assert finished.miou() == before


@pytest.fixture
def without_masks(finished, tmp_path, repository):
    """The made scenes as a user's own VOC-like folder, without masks, with saliency as PNGs."""
    made = finished.folder / "results/tiny"
    shutil.copytree(made / "scenes", tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "SegmentationClass")
    export = [sys.executable, "-m", "getam_core.stores", "export", made / "saliency.h5"]
    subprocess.run([*export, tmp_path / "maps"], check=True, cwd=repository)
    workflow = Workflow(tmp_path, repository)
    workflow.configure(
        data={"classes": list(SCENE_CLASSES)},
        saliency={"source": "precomputed", "folder": "maps"},
    )
    return workflow


def test_a_run_without_any_mask_trains_labels_and_predicts(without_masks):
    root = ("--config", "data_root=data")
    without_masks.run(["results/tiny/pseudo_labels/labels.h5"], *root)
    with h5py.File(without_masks.folder / "results/tiny/pseudo_labels/labels.h5") as file:
        assert len(file["images"]) == 40
    planned = without_masks.planned(*root, targets=BEFORE_EVALUATION)
    assert {"overview", "export_predictions"} < planned and not {"train", "check_masks"} & planned
    without_masks.run(["results/tiny/predictions/val.h5"], *root)
    with h5py.File(without_masks.folder / "results/tiny/predictions/val.h5") as file:
        assert len(file["images"]) == 12
        assert all(labels[()].max() <= len(SCENE_CLASSES) for labels in file["images"].values())
    said = without_masks.refuse(["results/tiny/evaluation/masks_train.csv"], *root)
    assert "SegmentationClass/train_00000.png: no such mask" in said


def test_interrupted_in_training_and_run_again_it_ends_the_same(finished, tmp_path, repository):
    shutil.copytree(finished.folder / "results", tmp_path / "results")
    shutil.copytree(finished.folder / ".snakemake", tmp_path / ".snakemake")
    made = tmp_path / "results/tiny"
    for folder in (
        "train", "getam", "grad_cam", "cam_ignore", "pseudo_labels", "predictions", "state",
    ):  # fmt: skip
        shutil.rmtree(made / folder)
    for file in (made / "logs/train.log", made / "miou.json", *made.glob("evaluation/*.json")):
        file.unlink()
    workflow = Workflow(tmp_path, repository)
    workflow.configure()
    log = tmp_path / "results/tiny/logs/train.log"
    with subprocess.Popen(
        workflow.command(END[:1], python=sys.executable),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        limit = time.monotonic() + 300
        while not (log.exists() and "epoch 1," in log.read_text()):
            assert running.poll() is None and time.monotonic() < limit
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(60) != 0
    assert not (tmp_path / "results/tiny/train/checkpoint.pt").exists()
    workflow.run(END[:1])
    assert "resumed" in log.read_text()
    assert workflow.miou() == finished.miou()


class TestWrongInput:
    @pytest.fixture
    def workflow(self, tmp_path, repository):
        workflow = Workflow(tmp_path, repository)
        workflow.configure()
        return workflow

    def broken_data(self, workflow, finished, break_it):
        shutil.copytree(finished.folder / "results/tiny/scenes", workflow.folder / "data")
        break_it(workflow.folder / "data")
        workflow.configure(
            data={"classes": list(SCENE_CLASSES)},
            saliency=TINY["saliency"]
            | {"images": str(finished.folder / "results/tiny/salient_scenes")},
        )
        said = workflow.refuse(END, "--config", "data_root=data")
        assert not (workflow.folder / "results/tiny/saliency").exists(), "found before training"
        return said

    def test_an_absent_image_is_named_before_any_training(self, workflow, finished):
        images = "JPEGImages"
        said = self.broken_data(
            workflow, finished, lambda root: next((root / images).glob("train*")).unlink()
        )
        assert re.search(r"train_\d+.*JPEGImages|JPEGImages.*train_\d+", said)

    def test_an_empty_split_is_named_before_any_training(self, workflow, finished):
        lists = "ImageSets/Segmentation/val.txt"
        said = self.broken_data(workflow, finished, lambda root: (root / lists).write_text(""))
        assert "val.txt" in said


def test_labels_follow_the_documented_format(finished):
    path = finished.folder / "results/tiny/pseudo_labels/labels.h5"
    with h5py.File(path) as file:
        classes = json.loads(file.attrs["classes"])
        labels = file["images"]["train_00000"][()]
    assert labels.dtype == np.uint8 and labels.shape == (32, 32)
    assert set(np.unique(labels)) <= {*range(len(classes) + 1), 255}
