"""Processes that train together on a CPU: how many there are, and what happens when one fails."""

import os
import signal
import time
from argparse import Namespace
from multiprocessing import active_children
from multiprocessing.process import BaseProcess

import pytest
import torch

from getam_core.errors import InputError, Interrupted
from getam_core.settings import Settings
from getam_core.training import processes_for, train_together
from workflow_scripts.train import share_threads


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    for name in ("RANK", "LOCAL_WORLD_SIZE", "GLOO_SOCKET_IFNAME"):
        monkeypatch.setenv(name, "")  # which puts back what a test sets
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("threads", "images", "count"),
    [
        (1, 8, 1), (2, 8, 2), (8, 8, 2), (8, 16, 4), (2, 7, 1), (2, 1, 1), (0, 8, 1),
        (3, 8, 1), (7, 16, 1), (8, 20, 4), (6, 16, 3),
    ],
)  # fmt: skip
def test_each_process_has_four_images_and_no_thread_is_idle(threads, images, count):
    assert processes_for(threads, images) == count


def test_other_systems_train_in_one_process(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert processes_for(8, 32) == 1


@pytest.mark.parametrize(
    ("settings", "classifier", "count"),
    [
        ({}, None, 2),
        ({"train": {"accumulate": 2}}, None, 1),
        ({"model": {"stem": {"name": "resnet18"}, "weights": None}}, None, 1),
        ({"classifiers": {"cnn": {"name": "resnet18"}}}, "cnn", 1),
        ({}, "ts_cam", 2),
        ({"model": {"name": "mit_b1", "weights": None, "head": "max_pooled"}}, None, 1),
    ],
)
def test_networks_with_batch_norms_are_trained_by_one_process(settings, classifier, count):
    train = {"batch_size": 8} | settings.get("train", {})
    text = Settings.model_validate(settings | {"train": train}).model_dump_json()
    before = torch.get_num_threads()
    arguments = Namespace(settings=text, threads=4, classifier=classifier)
    assert share_threads(arguments) == count
    assert arguments.threads == 4 // count
    torch.set_num_threads(before)


def test_all_work_and_add_up(tmp_path):
    def work(processes):
        total = processes.sum(torch.tensor([1.0 + processes.rank]))
        rank = os.environ["RANK"]
        (tmp_path / rank).write_text(f"{processes.rank} of {processes.size}: {total.item()}")

    train_together(3, work)
    found = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert found == {str(rank): f"{rank} of 3: 6.0" for rank in range(3)}


def test_a_single_process_works_here():
    seen = []
    train_together(1, seen.append)
    assert [(own.rank, own.size) for own in seen] == [(0, 1)] and "RANK" not in os.environ


def failing(error):
    """Return work in which only the second process fails, while the first waits for it."""

    def work(processes):
        if processes.rank == 1:
            error()
        processes.sum(torch.zeros(1))

    return work


@pytest.mark.parametrize("count", [2, 3])
def test_wrong_input_of_another_process_is_reported_as_such(count):
    lines = [f"{n}.jpg too" for n in range(9000)]  # more than fits into a pipe

    def wrong():
        raise InputError("b.jpg: not an image", lines)

    with pytest.raises(InputError, match=r"^b\.jpg: not an image$") as caught:
        train_together(count, failing(wrong))
    assert caught.value.rest == tuple(lines)


def test_a_defect_in_another_process_shows_its_traceback():
    def defect():
        raise KeyError("nowhere")

    with pytest.raises(RuntimeError, match=r"(?s)another process.*in defect.*KeyError: 'nowhere'"):
        train_together(2, failing(defect))


@pytest.mark.parametrize("count", [2, 3])
def test_a_process_that_is_killed_ends_the_others(count):
    with pytest.raises(InputError, match=r"a process of the training was killed.*memory"):
        train_together(count, failing(lambda: os.kill(os.getpid(), signal.SIGKILL)))


def test_a_process_that_is_killed_before_it_joins_is_not_waited_for(monkeypatch):
    module = "getam_core.training.cpu_processes.end_with_parent"
    monkeypatch.setattr(module, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(InputError, match=r"a process of the training was killed"):
        train_together(2, lambda processes: None)


def test_a_stop_during_the_start_is_heeded_once_all_have_joined(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    start = BaseProcess.start

    def interrupted(process):
        start(process)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(process.pid, signal.SIGINT)

    monkeypatch.setattr(BaseProcess, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_together(2, lambda processes: time.sleep(60))
    assert not active_children() and not list(tmp_path.iterdir())


def test_a_folder_for_temporary_files_may_have_any_name(tmp_path, monkeypatch):
    odd = tmp_path / "zwei Wörter"
    odd.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    train_together(2, lambda processes: processes.sum(torch.zeros(1)))


@pytest.mark.parametrize("error", [InputError, Interrupted, KeyboardInterrupt])
def test_the_first_process_ends_the_others(error):
    def work(processes):
        processes.sum(torch.zeros(1))  # so that both have started
        if processes.is_first:
            raise error("stop")
        time.sleep(60)

    started = time.monotonic()
    with pytest.raises(error, match="stop"):
        train_together(2, work)
    assert time.monotonic() - started < 30 and not active_children()


def test_its_own_error_is_not_blamed_on_the_others():
    def work(processes):
        if processes.is_first:
            raise RuntimeError("own")
        processes.sum(torch.zeros(1))  # which fails because the first has ended

    with pytest.raises(RuntimeError, match=r"^own$"):
        train_together(2, work)
