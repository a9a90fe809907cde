"""Stages that run side by side on one machine take different GPUs."""

import os
import tempfile
from types import SimpleNamespace

import pytest
import torch

from getam_core import gpus
from getam_core.errors import InputError
from getam_core.gpus import take_gpu
from tests.training_kit import end_of


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch, tmp_path):
    def properties(number):
        return SimpleNamespace(uuid=f"uuid-{number}")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: None)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setattr(gpus, "_locks", {})
    yield
    for lock in gpus._locks.values():
        os.close(lock)


def of_another_process():
    """Return the GPU that a process beside this one takes."""

    def take():
        gpus._locks.clear()
        os._exit(10 + take_gpu().index)

    return end_of(take) - 10


def test_processes_take_different_gpus_and_free_them_when_they_end():
    assert of_another_process() == 0
    assert of_another_process() == 0, "the first one has ended"
    assert take_gpu() == torch.device("cuda", 0)
    assert take_gpu() == torch.device("cuda", 0), "a process keeps its own"
    assert of_another_process() == 1


def test_a_gpu_is_shared_where_all_are_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    take_gpu()
    assert of_another_process() == 0


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(InputError, match="3 processes, but only 2 GPUs"):
        take_gpu()


def test_processes_of_one_training_never_share_a_gpu(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert take_gpu() == torch.device("cuda", 0)
    assert of_another_process() == 1
    monkeypatch.setattr(gpus, "_take", lambda _gpu: False)
    with pytest.raises(InputError, match="all 2 GPUs are taken, some by processes outside"):
        take_gpu()
