"""What config/README.md tells people to write is what the settings take."""

import re
import shlex
import textwrap
from pathlib import Path

import pytest
import yaml

from getam_core.settings import load_settings

CONFIG = Path(__file__).parents[1] / "config"
TEXT = (CONFIG / "README.md").read_text()
BLOCKS = re.findall(r"^ *```(bash|yaml)\n(.*?)^ *```", TEXT, re.MULTILINE | re.DOTALL)
RUNS = [textwrap.dedent(block) for kind, block in BLOCKS if kind == "yaml"]
LINES = [
    line
    for kind, block in BLOCKS
    if kind == "bash"
    for line in block.replace("\\\n", " ").splitlines()
    if "--config" in line
]


def overrides(line):
    """Keys and values after --config, as Snakemake reads them."""
    words = shlex.split(line.partition("--config")[2], comments=True)
    pairs = [word.partition("=") for word in words if re.match(r"[a-z_]+=", word)]
    return {key: yaml.safe_load(value) for key, _, value in pairs}


@pytest.mark.parametrize("text", RUNS)
def test_runs_that_it_shows_hold(tmp_path, text):
    (tmp_path / "run.yaml").write_text(text)
    load_settings(tmp_path / "run.yaml")


@pytest.mark.parametrize("line", LINES)
def test_overrides_that_it_shows_hold(line):
    named = re.search(r"results/(\w+)[/{]", line)
    shown = CONFIG / f"{named[1] if named else 'own'}.yaml"
    load_settings(shown if shown.exists() else CONFIG / "own.yaml", overrides(line))


def test_examples_are_found():
    assert len(RUNS) >= 1 and len(LINES) >= 10
