"""Settings that cannot be planned, and the line of the workflow that says so."""

import pytest

from tests.tiny_workflow import END, Workflow


@pytest.fixture
def workflow(tmp_path, repository):
    workflow = Workflow(tmp_path, repository)
    workflow.configure()
    return workflow


def test_a_wrong_key_is_named_before_anything_is_planned(workflow):
    workflow.configure(trian={"epochs": 3})
    said = workflow.refuse(END)
    assert "config/tiny.yaml: trian: unknown key; did you mean train?" in said
    assert not (workflow.folder / "results").exists()


def test_a_missing_data_root_is_named_before_anything_is_planned(workflow):
    workflow.configure(data={"classes": ["cat"]})
    assert "data_root is not set" in workflow.refuse(END)
    said = workflow.refuse(END, "--config", "data_root=nowhere")
    assert "data_root: no such folder: nowhere" in said


def test_a_run_that_is_not_described_lists_those_that_are(workflow):
    said = workflow.refuse(["results/other/miou.json"])
    assert "config/other.yaml: no such run; the runs of config/ are: tiny" in said
