"""What the command line forces is known to its jobs, wherever they run."""

from types import SimpleNamespace

import pytest

from workflow_scripts.forced import FORCED, is_forced

OUTPUT = "results/a/train/checkpoint.pt"
OTHER = "results/b/train/checkpoint.pt"


def asked(*, targets=(), forcerun=(), forcetargets=False, forceall=False, main=True):
    options = {"targets": targets, "forcerun": forcerun, "forcetargets": forcetargets}
    settings = SimpleNamespace(**options, forceall=forceall)
    return SimpleNamespace(dag_settings=settings, is_main_process=main)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv(FORCED, '{"all": true, "named": []}')  # left by an outer command


@pytest.mark.parametrize(
    ("options", "forced"),
    [
        ({}, False),
        ({"forceall": True}, True),
        ({"forcerun": ["train"]}, True),
        ({"forcerun": ["predict", OTHER]}, False),
        ({"forcerun": [OUTPUT]}, True),
        ({"targets": ["./" + OUTPUT], "forcetargets": True}, True),
        ({"targets": [OUTPUT]}, False),
        ({"targets": ["results/a/miou.json"], "forcetargets": True}, False),
    ],
    ids=["plain", "-F", "-R rule", "-R others", "-R file", "-f file", "target", "-f later file"],
)
def test_a_job_is_forced_by_its_rule_or_its_file_on_its_node_too(options, forced):
    assert is_forced(asked(**options), "train", [OUTPUT, "results/a/train/metrics.csv"]) is forced
    on_a_node = asked(targets=[OUTPUT], forcetargets=True, main=False)  # as every job is called
    assert is_forced(on_a_node, "train", [OUTPUT]) is forced


def test_nothing_is_forced_where_nothing_is_planned():
    assert not is_forced(SimpleNamespace(dag_settings=None), "train", [OUTPUT])
