"""Settings that cannot be planned, and the line of the workflow that says so."""

import re
import subprocess

import pytest

from tests.tiny_workflow import END, Workflow
from tests.warm_python import warm_python


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resources", "gpu=1", "FILE"], "dictionary update sequence element #1 has length 1"),
        (["--config", "seed=1", "FILE"], "Config entries have to be defined as name=value pairs"),
        (["--config", "train.epochs=3", "--", "FILE"], "must start with a valid identifier"),
    ],
)
def test_snakemake_s_message_for_a_wrong_option_is_in_the_page_of_errors(
    options, message, repository
):
    command = [warm_python(), "-m", "snakemake", "--cores", "1", *options]
    said = subprocess.run(command, cwd=repository, capture_output=True, text=True).stderr
    line = said.strip().splitlines()[-1]
    errors = (repository / "docs/guides/errors.md").read_text()
    assert message in line
    shown = re.findall(r"^\| `([^`]+)` \|", errors, re.MULTILINE)
    assert any(all(part in line for part in text.split("...")) for text in shown)
