"""Environments for conda and containers have the pins of requirements.lock, without other files."""

import re

import yaml

from envs.from_lock import ENVIRONMENT, LOCK, PYTHON, environment, pins

MADE_BY = "run `make envs`"


def test_the_conda_environment_has_the_pins_of_the_lock():
    assert ENVIRONMENT.read_text() == environment(LOCK.read_text()), MADE_BY


def test_the_conda_environment_names_no_other_file():
    python, pip, packages = yaml.safe_load(ENVIRONMENT.read_text())["dependencies"]
    assert (python, pip) == (f"python={PYTHON}", "pip")
    assert len(packages["pip"]) > 50
    assert all(re.match(r"[\w.-]+(\[[\w,]+\])?==", line) for line in packages["pip"])


def test_of_a_lock_the_requirements_are_kept_with_their_markers():
    lock = (
        "# by uv\n-e .\n.[dev]\n\na==1 ; python_version < '3.12'\n    # via b\n"
        "b==2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nc @ https://x/c#sha=1\n"
    )
    assert pins(lock) == ["a==1 ; python_version < '3.12'", "b==2", "c @ https://x/c#sha=1"]


def test_the_container_is_made_from_the_lock_by_the_same_python(repository):
    recipe = (repository / "envs/Containerfile").read_text()
    assert f"FROM python:{PYTHON}-" in recipe
    assert "COPY requirements.lock /\n" in recipe and "--requirement /requirements.lock" in recipe
