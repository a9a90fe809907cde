"""What planning reads of a run: its settings (once), its images, and where the library is."""

import os
import subprocess
import sys

import pytest
from snakemake.exceptions import WorkflowError

from workflow_scripts.runs import images_of, make_library_importable, settings_reader


def test_images_of_a_split_are_counted(tmp_path):
    index = tmp_path / "index.csv"
    index.write_text('image_id,image,split,classes\na,"a,b.jpg",train,cat\nb,b.jpg,val,\n')
    assert (images_of(index, "train"), images_of(index, "val"), images_of(index, "x")) == (1, 1, 0)


def test_a_run_is_read_once_and_wrong_input_is_said_in_the_form_of_snakemake(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "tiny.yaml"
    file.write_text("data: {layout: scenes}")
    monkeypatch.chdir(tmp_path)
    run_settings = settings_reader({"seed": "3"})
    assert run_settings("tiny").seed == 3
    file.unlink()
    assert run_settings("tiny").seed == 3
    file.write_text("data: {layout: scenes}")
    assert run_settings("tiny-seed12").seed == 12
    file.with_stem("tiny-seed1").write_text("data: {layout: scenes}\nseed: 5")
    assert settings_reader({})("tiny-seed1").seed == 5
    with pytest.raises(WorkflowError, match=r"config/other.yaml: no such run") as raised:
        run_settings("other")
    assert raised.value.__cause__ is None


def test_a_run_at_a_seed_learns_from_the_labels_of_that_seed(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path)
    first, second = (
        "results/first/pseudo_labels/labels.h5",
        "results/first/pseudo_labels/network.h5",
    )
    scenes = "data: {layout: scenes}"
    (tmp_path / "config/first.yaml").write_text(f"{scenes}\nseed: 4")
    (tmp_path / "config/second.yaml").write_text(
        f"{scenes}\ntrain: {{supervision: labels, label_maps: {first}}}\n"
        f"deeplab: {{labels: {second}}}"
    )
    run_settings = settings_reader({})
    labels = {
        name: (run_settings(name).train.label_maps, run_settings(name).deeplab.labels)
        for name in ("second", "second-seed3", "second-seed4")
    }
    assert labels == {
        "second": (first, second),
        "second-seed3": tuple(x.replace("first", "first-seed3") for x in (first, second)),
        "second-seed4": (first, second),
    }


def test_a_stage_finds_the_library_and_this_python_from_any_folder(
    tmp_path, repository, monkeypatch
):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", "before")
    make_library_importable(repository)
    assert os.environ["PYTHONPATH"].split(os.pathsep)[1:] == ["before"]
    code = "import sys, getam_core, workflow_scripts; print(sys.prefix)"
    done = subprocess.run(["python", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == sys.prefix
