"""Loading by worker processes that know their threads, their signals and their errors."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
from torch.utils.data import DataLoader, Dataset

from getam_core.errors import InputError

STOPS = (signal.SIGINT, signal.SIGTERM)


def image_loader(dataset: Dataset, **options: Any) -> DataLoader:
    """Build a DataLoader whose workers compute on one thread each; `options` are its own.

    OpenCV's threads are ended before the workers are forked: a child that inherits them would
    wait for ever when it ends threads that it does not have.

    The workers outlive signals to their group (`outlive_a_signal`), and wrong input that they find
    is the same `InputError` as without them (`of_workers`).
    """
    cv2.setNumThreads(1)
    return _Loader(dataset, worker_init_fn=outlive_a_signal, **options)


def outlive_a_signal(_worker: int) -> None:
    """Let a loader's worker outlive SIGINT and one SIGTERM; a `worker_init_fn`.

    A terminal, torchrun and SLURM send them to whole groups. The process that loads needs its
    workers until its state is saved, and ends them then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _frame: signal.signal(number, signal.SIG_DFL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


@contextmanager
def of_workers() -> Iterator[None]:
    """Raise wrong input that a worker of torch's DataLoader found as the worker raised it.

    Torch makes an error of the same class whose message says where, and ends as tracebacks do.
    """
    try:
        yield
    except InputError as error:
        message = str(error).rpartition(f"{InputError.__module__}.{InputError.__qualname__}: ")[2]
        raise InputError(message.rstrip(), error.rest) from None


class _Loader(DataLoader):
    def __iter__(self) -> Iterator[Any]:
        # Workers inherit the mask, and lift it once they can outlive a signal.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            batches = super().__iter__()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        with of_workers():
            yield from batches
