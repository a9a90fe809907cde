"""Loading by worker processes that know their threads, their signals and their errors."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import cv2
from torch.utils.data import DataLoader, Dataset

from getam_core.errors import InputError
from getam_core.signals import STOPS


def image_loader(dataset: Dataset, **options: Any) -> DataLoader:
    """Build a DataLoader whose workers compute on one thread each; `options` are its own.

    OpenCV's threads are ended before the workers are forked: a child that inherits them would
    wait for ever when it ends threads that it does not have.

    The workers outlive signals to their group (`heed_one_process`), and wrong input that they find
    is the same `InputError` as without them (`errors_of_workers`).
    """
    cv2.setNumThreads(1)
    return _Loader(dataset, worker_init_fn=heed_one_process, **options)


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold `STOPS` back: workers that are started here are not found by them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heed_one_process(_worker: int) -> None:
    """Let a loader's worker end at a SIGTERM of the process that loads alone; a `worker_init_fn`.

    A terminal, torchrun and SLURM send `STOPS` to whole groups. The process that loads needs its
    workers until its state is saved, and ends them then.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    Thread(target=_await_end, args=(os.getppid(),), daemon=True).start()


def _await_end(loading: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != loading:
        pass
    os._exit(0)


@contextmanager
def errors_of_workers() -> Iterator[None]:
    """Raise wrong input that a worker of torch's DataLoader found as the worker raised it.

    Torch makes an error of the same class whose message says where, and ends as tracebacks do.
    """
    try:
        yield
    except InputError as error:
        message = str(error).rpartition(f"{InputError.__module__}.{InputError.__qualname__}: ")[2]
        raise InputError(message.rstrip(), error.rest) from None


class _Loader(DataLoader):
    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # its private class
        with signals_held():
            batches = super().__iter__()
        with errors_of_workers():
            yield from batches
