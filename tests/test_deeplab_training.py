"""Retraining: losses fall, the state is plain, and an interrupted training ends the same."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from getam_core.checkpoint import load_checkpoint
from getam_core.deeplab import DeepLabPlan, build_deeplab, train_deeplab, write_rows
from getam_core.deeplab.hooks import StateHook
from getam_core.errors import InputError, Interrupted
from getam_core.stores import StoreWriter
from tests.labelled import CLASSES, TINY, scene, write_labelled
from tests.training_kit import STOPPED, end_of, signal_group

PLAN = {
    "iterations": 30,
    "batch_size": 4,
    "crop_size": 33,
    "scale_range": (0.75, 1.5),
    "learning_rate": 0.02,
    "head_rate": 1.0,
    "weight_decay": 5e-4,
}
SETTINGS = {"deeplab": {"iterations": 30}}

# A separate process, which saves after every step and says so.
ALONE = """
import sys
from pathlib import Path
from tests.test_deeplab_training import train
train(Path(sys.argv[1]), "killed", checkpoint_minutes=1e-9)
"""


# Every crop is full and every pixel known, so that a mean of means is the mean.
GROUP_PLAN = {"iterations": 3, "batch_size": 2, "scale_range": (1.2, 1.5), "learning_rate": 0.1}

# torchrun would start this twice; here it forks after all imports, which takes half the time.
GROUP = """
import os
import sys
from pathlib import Path
import torch
from tests.test_deeplab_training import GROUP_PLAN, train
folder = Path(sys.argv[1])
rank = 0 if os.fork() else 1
os.environ["LOCAL_RANK"] = str(rank)
meeting = f"file://{folder}/meeting"
torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
network, rows = train(folder, "group", batch_norm="frozen", labels="known.h5", **GROUP_PLAN)
if torch.distributed.get_rank() == 0:
    torch.save(network.state_dict(), folder / "group.out")
torch.distributed.destroy_process_group()
"""


def train(
    folder, name, settings=SETTINGS, batch_norm="trained", labels="labels.h5", workers=0, **changes
):
    """Train a tiny network; return it and the rows of metrics.csv."""
    torch.manual_seed(0)
    network = build_deeplab(**TINY | {"batch_norm": batch_norm})
    rows = train_deeplab(
        network,
        DeepLabPlan(**PLAN | changes),
        index=folder / "index.csv",
        labels=folder / labels,
        classes=CLASSES,
        state=folder / f"{name}.pt",
        settings=settings,
        events=folder / "events" / name,
        device=torch.device("cpu"),
        workers=workers,
    )
    return network, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("retraining")
    write_labelled(folder)
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    """An uninterrupted training."""
    return train(folder, "whole")


def stop_after(step, monkeypatch, number=signal.SIGTERM, kill=signal.raise_signal):
    """Signal this process in the middle of a step; `kill` may signal others too."""
    original = StateHook.after_train_iter

    def stopping(self, runner, *arguments, **options):
        if runner.iter + 1 == step:
            kill(number)
        return original(self, runner, *arguments, **options)

    monkeypatch.setattr(StateHook, "after_train_iter", stopping)


def assert_same(one, other):
    assert one[1] == other[1]
    states = [network.state_dict() for network, _ in (one, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_loss_falls(whole):
    rows = whole[1]
    assert [row["step"] for row in rows] == [10, 20, 30]
    losses = [row["loss"] for row in rows]
    assert losses[2] < 0.7 * losses[0]


def test_rates_fall_as_the_recipe_says(whole):
    rates = [row["lr"] for row in whole[1]]
    expected = [0.02 * (1 - step / 30) ** 0.9 for step in (9, 19, 29)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_the_head_has_a_rate_of_its_own(folder, monkeypatch):
    seen = {}

    def look(self, runner, *_arguments, **_options):
        names = {id(p): name for name, p in runner.model.named_parameters()}
        for group in runner.optim_wrapper.optimizer.param_groups:
            seen[names[id(group["params"][0])].partition(".")[0]] = group["lr"]

    monkeypatch.setattr(StateHook, "after_train_iter", look)
    train(folder, "rates", iterations=1, head_rate=10.0)
    assert seen["decode_head"] == pytest.approx(10 * seen["backbone"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_on_request_and_resumed_it_ends_the_same(folder, whole, monkeypatch, number):
    name = f"stopped{number}"
    with monkeypatch.context() as patch:
        stop_after(13, patch, number)
        with pytest.raises(Interrupted, match="state saved in"):
            train(folder, name)
    assert load_checkpoint(folder / f"{name}.pt")["meta"]["iter"] == 13
    assert_same(train(folder, name), whole)


def test_stopped_with_its_loader_s_worker(folder, whole, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(13, patch, kill=signal_group)
        assert end_of(partial(train, folder, "together", workers=1)) == STOPPED
    assert load_checkpoint(folder / "together.pt")["meta"]["iter"] == 13
    assert_same(train(folder, "together"), whole)


def test_its_loader_s_worker_ends_with_it(folder):
    train(folder, "ended", workers=1, iterations=2)
    assert multiprocessing.active_children() == []


def test_killed_and_resumed_it_ends_the_same(folder, whole, repository):
    state = folder / "killed.pt"
    command = [sys.executable, "-c", ALONE, str(folder)]
    with subprocess.Popen(command, cwd=repository, stderr=subprocess.DEVNULL) as running:
        limit = time.monotonic() + 120
        while not state.exists():
            assert running.poll() is None and time.monotonic() < limit
            time.sleep(0.01)
        running.kill()
    assert 0 < load_checkpoint(state)["meta"]["iter"] < 30, "killed before its end"
    assert_same(train(folder, "killed"), whole)


def test_the_state_holds_tensors_and_plain_values_alone(folder, monkeypatch):
    stop_after(3, monkeypatch)
    with pytest.raises(Interrupted):
        train(folder, "plain")
    path = folder / "plain.pt"
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == []
    assert "cfg" not in load_checkpoint(path)["meta"], "a text that mmengine would execute"


def test_state_of_other_settings_is_set_aside(folder, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        stop_after(2, patch)
        with pytest.raises(Interrupted):
            train(folder, "other", settings={"deeplab": {"iterations": 40}})
    _, rows = train(folder, "other", iterations=10)
    assert "deeplab.iterations (40 before, 30 now)" in caplog.text
    assert (folder / "other.aside1.pt").exists() and len(rows) == 1


def test_a_loss_that_is_no_number_names_the_rate(folder):
    with pytest.raises(InputError, match=r"the loss is .* lower deeplab\.learning_rate"):
        train(folder, "diverged", learning_rate=1e30)
    assert not (folder / "diverged.pt").exists()


def test_labels_that_do_not_fit_are_one_line_though_a_worker_finds_them(folder):
    with StoreWriter(folder / "small.h5", "labels", CLASSES, {}) as writer:
        for i in range(6):
            writer.write(f"i{i}", np.zeros((8, 8), np.uint8))
    with pytest.raises(InputError) as error:
        train(folder, "small", labels="small.h5", workers=1)
    assert re.fullmatch(r".*small\.h5: image 'i\d' has labels of .*", str(error.value))


def test_bfloat16_trains_and_keeps_parameters_in_float32(folder):
    network, rows = train(folder, "bfloat16", iterations=10, bfloat16=True)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert np.isfinite(rows[-1]["loss"])


def test_what_was_measured_is_written(folder, whole):
    write_rows(folder / "metrics.csv", whole[1])
    header, *lines = (folder / "metrics.csv").read_text().splitlines()
    assert header == "step,lr,loss,accuracy" and len(lines) == 3
    events = EventAccumulator(str(folder / "events" / "whole")).Reload()
    assert [e.step for e in events.Scalars("loss")] == [10, 20, 30]


def test_several_processes_train_as_one(folder, repository):
    with StoreWriter(folder / "known.h5", "labels", CLASSES, {}) as writer:
        for i in range(6):
            labels = scene(i)[1]
            writer.write(f"i{i}", np.where(labels == 255, 0, labels).astype(np.uint8))
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", GROUP, str(folder)],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = torch.load(folder / "group.out", weights_only=True)
    network, _ = train(folder, "one", batch_norm="frozen", labels="known.h5", **GROUP_PLAN)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4)
