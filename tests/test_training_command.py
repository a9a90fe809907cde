"""The command that trains: on two threads of a CPU it is two processes, which end together."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from getam_core.classes import SCENE_CLASSES
from getam_core.data import write_index
from getam_core.networks import load_network
from tests.tiny_workflow import TINY
from tests.warm_python import warm_python

SETTINGS = {
    "data": {"classes": list(SCENE_CLASSES)},
    "model": TINY["model"],
    "train": {
        "epochs": 12,
        "classification_epochs": 4,
        "batch_size": 8,
        "crop_size": 32,
        "scale_range": [32, 40],
        "optimizer": "sgd",
        "labels": {"saliency": False},
        "losses": {"saliency": 0},
        "checkpoint_minutes": 1e-6,
        "validate_every": 12,
    },
}


def command(folder: Path, index: Path, threads: int, python=None) -> list[str]:
    """Return the command of a training in `folder`."""
    files = {"state": "state.pt", "metrics": "metrics.csv", "out": "checkpoint.pt", "log": "log"}
    files["events"] = "events"
    options = {name: folder / file for name, file in files.items()}
    options |= {"index": index, "settings": json.dumps(SETTINGS), "threads": threads}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    return [python or warm_python(), "-m", "workflow_scripts.train", "--device", "cpu", *words]


def finish(folder: Path, index: Path, threads: int) -> tuple[list[dict], dict]:
    """Train to the end; return the rows of metrics.csv without times, and the weights."""
    done = subprocess.run(command(folder, index, threads), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    with (folder / "metrics.csv").open() as file:
        rows = [{k: v for k, v in row.items() if "second" not in k} for row in csv.DictReader(file)]
    return rows, load_network(folder / "checkpoint.pt").state_dict()


def has_ended(process: str) -> bool:
    """Whether a process is gone, or a zombie that nobody has collected."""
    try:
        return Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def index(scenes, tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "index.csv"
    write_index(path, scenes[1])
    return path


@pytest.fixture(scope="module")
def by_two(index, tmp_path_factory):
    return finish(tmp_path_factory.mktemp("two"), index, 2)


def test_two_threads_train_as_one_does(index, by_two, tmp_path):
    rows, weights = finish(tmp_path, index, 1)
    assert "processes" not in (tmp_path / "log").read_text()
    for own, other in zip(rows, by_two[0], strict=True):
        assert float(other["loss"]) == pytest.approx(float(own["loss"]), rel=1e-4)
    for name, value in weights.items():
        torch.testing.assert_close(by_two[1][name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_a_killed_training_leaves_no_process_and_ends_with_the_same_bits(index, by_two, tmp_path):
    started = subprocess.Popen(
        command(tmp_path, index, 2, python=sys.executable), stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "state.pt").exists():
        assert started.poll() is None
        time.sleep(0.01)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert len(children) == 1
    for _ in range(200):
        if has_ended(children[0]):
            break
        time.sleep(0.05)
    assert has_ended(children[0])

    assert not (tmp_path / "checkpoint.pt").exists()
    rows, weights = finish(tmp_path, index, 2)
    assert rows == by_two[0]
    assert {n for n, v in weights.items() if not torch.equal(v, by_two[1][n])} == set()
    log = (tmp_path / "log").read_text()
    assert log.count("training in 2 processes") == 1 and "resumed at epoch" in log
