"""Loading by worker processes, with control of their threads, signals and errors."""

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
    """Build a DataLoader whose workers compute on one thread each; `options` go to it.

    OpenCV's threads are ended before the workers are forked: a child does not have its parent's
    threads, and would wait forever when ending them.

    The workers survive signals to their group (`heed_one_process`), and wrong input that they find
    raises the same `InputError` as without workers (`errors_of_workers`).
    """
    cv2.setNumThreads(1)
    return _Loader(dataset, worker_init_fn=heed_one_process, **options)


@contextmanager
def signals_held() -> Iterator[None]:
    """Block `STOPS`: workers that are started in this block inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heed_one_process(_worker: int) -> None:
    """Let a loader's worker end only on SIGTERM from the loading process; a `worker_init_fn`.

    A terminal, torchrun and SLURM send `STOPS` to whole groups. The loading process needs its
    workers until its state is saved, and then ends them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    Thread(target=_await_end, args=(os.getppid(),), daemon=True).start()


def _await_end(loading: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != loading:
        pass
    os._exit(0)


@contextmanager
def errors_of_workers() -> Iterator[None]:
    """Raise an `InputError` of a DataLoader's worker as the worker raised it.

    Torch raises an error of the same class, with the worker's traceback in its message.
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
