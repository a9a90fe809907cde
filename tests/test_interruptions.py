"""Training that is stopped or killed, and started again: bit-identical to an undisturbed one."""

import signal
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from getam_core.checkpoint import load_checkpoint
from getam_core.errors import InputError, Interrupted
from getam_core.signals import STOPS
from getam_core.training import Processes
from tests.training_kit import PLAN, STOPPED, end_of, same_but_for_speed, trainer

EVERY_STEP = replace(PLAN, checkpoint_minutes=1e-9)
STEPS = 5  # per epoch, each of eight images


def check_same(again, undisturbed):
    """Train to the end and compare the rows of metrics.csv and the weights, to the bit."""
    rows, weights = undisturbed
    assert same_but_for_speed(again.run()) == same_but_for_speed(rows)
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.parametrize(
    "item", [3, 40, 61, 95], ids=["first step", "epoch's last step", "mid epoch", "second half"]
)
@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
def test_stopped(scenes, undisturbed, tmp_path, item, number):
    first = trainer(scenes, tmp_path)
    first.images.left, first.images.number = item, number
    with pytest.raises(Interrupted, match="run the same command to resume"):
        first.run()
    check_same(trainer(scenes, tmp_path), undisturbed)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
def test_stopped_with_its_loader_s_workers(scenes, undisturbed, tmp_path, number, workers):
    first = trainer(scenes, tmp_path, workers=workers)
    first.images.left, first.images.number = 13, number
    first.images.group = True
    assert end_of(first.run) == STOPPED
    state = load_checkpoint(tmp_path / "state.pt")
    assert (state["epoch"], state["step"]) < (2, 0)
    check_same(trainer(scenes, tmp_path, workers=workers), undisturbed)


def test_a_stop_that_was_ignored_stays_so(scenes, tmp_path):
    """`nohup` starts a program with SIGHUP ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        own = trainer(scenes, tmp_path)
        own.images.left, own.images.number = 3, signal.SIGHUP
        assert len(own.run()) == PLAN.epochs
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("item", [9, 70, 101], ids=["first half", "epoch 2", "second half"])
def test_killed(scenes, undisturbed, tmp_path, item):
    first = trainer(scenes, tmp_path, plan=EVERY_STEP)
    first.images.left, first.images.number = item, signal.SIGKILL
    assert end_of(first.run) == -signal.SIGKILL
    check_same(trainer(scenes, tmp_path, plan=EVERY_STEP), undisturbed)


@pytest.mark.parametrize("item", [45, 85], ids=["epoch 2", "epoch 3"])
def test_tensorboard_has_every_epoch_once(scenes, tmp_path, item):
    first = trainer(scenes, tmp_path)
    first.images.left, first.images.number = item, signal.SIGKILL
    assert end_of(first.run) == -signal.SIGKILL
    # also in another process: the log's files are read in the order of second and process
    assert end_of(trainer(scenes, tmp_path).run) == 0
    log = EventAccumulator(str(tmp_path / "events")).Reload()
    assert [event.step for event in log.Scalars("loss")] == [STEPS, 2 * STEPS, 3 * STEPS]


def test_a_stop_in_validation_costs_no_step(scenes, undisturbed, tmp_path):
    def fail(_network):
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        trainer(scenes, tmp_path, validate=fail).run()
    assert load_checkpoint(tmp_path / "state.pt")["step"] == STEPS
    again = trainer(scenes, tmp_path)
    check_same(again, undisturbed)
    assert again.rows[0]["images_per_second"] is None  # no image was trained on since


def test_an_epoch_that_was_logged_but_not_saved_is_logged_once(scenes, tmp_path):
    def fail(_network):
        raise OSError("killed")

    first = trainer(scenes, tmp_path)
    first.draw = fail  # after the row of the first epoch
    assert end_of(first.run) == 1
    assert end_of(trainer(scenes, tmp_path).run) == 0
    log = EventAccumulator(str(tmp_path / "events")).Reload()
    assert [event.step for event in log.Scalars("loss")] == [STEPS, 2 * STEPS, 3 * STEPS]


@dataclass(frozen=True)
class Disagreeing(Processes):
    """Processes of which the other one has started over."""

    def gather(self, value: Any) -> list[Any]:
        return [value, (0, 0)] if isinstance(value, tuple) else [value]


def test_processes_of_different_states_do_not_go_on(scenes, tmp_path):
    first = trainer(scenes, tmp_path)
    first.images.left = 3
    with pytest.raises(Interrupted):
        first.run()
    with pytest.raises(InputError, match=r"\[\(0, 0\), \(0, 1\)\]; all nodes need the same"):
        trainer(scenes, tmp_path, processes=Disagreeing()).run()
