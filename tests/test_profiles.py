"""Profiles and `localrules` name only rules that exist: Snakemake ignores other names."""

import re

import pytest
import yaml

from getam_core.settings.limits import TRAININGS


@pytest.fixture
def sources(repository):
    files = [repository / "Snakefile", *(repository / "rules").glob("*.smk")]
    return "\n".join(file.read_text() for file in files)


@pytest.fixture
def rules(sources):
    return set(re.findall(r"^(?:rule|checkpoint|use rule \w+ as) (\w+)", sources, re.MULTILINE))


def test_the_cluster_s_resources_are_of_rules_and_grow_with_each_attempt(rules, repository):
    profile = yaml.safe_load((repository / "profiles/slurm/config.yaml").read_text())
    assert set(profile["set-resources"]) <= rules
    values = profile["default-resources"].values()
    assert profile["retries"] > 0 and all("* attempt" in value for value in values)


def test_every_training_is_told_to_save_before_its_time_ends(repository):
    profile = yaml.safe_load((repository / "profiles/slurm/config.yaml").read_text())
    told = {name for name, given in profile["set-resources"].items() if "TERM@" in str(given)}
    assert told == TRAININGS


def test_the_rules_that_stay_on_the_login_node_exist_and_ask_for_no_gpu(rules, sources):
    lists = re.findall(r"^localrules:\n((?:    \w+,\n)+)", sources, re.MULTILINE)
    names = set(re.findall(r"\w+", " ".join(lists)))
    assert {"fetch_archive", "merge_entries"} <= names <= rules
    for name in names:
        body = re.search(rf"^rule {name}:\n((?:    .*\n|\n)+)", sources, re.MULTILINE)[1]
        assert "gpu=" not in body.split("\nrule ")[0]
