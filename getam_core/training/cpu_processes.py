"""Several processes of one training on a CPU, each on its share of the threads.

Threads of one process wait for each other at every layer, processes a few times in a step.
"""

import gc
import json
import logging
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

import torch.distributed as dist

from getam_core.errors import InputError, Interrupted
from getam_core.files import atomic_path
from getam_core.processes import LESS, end_with_parent
from getam_core.signals import STOPS
from getam_core.training.distributed import PATIENCE, Processes

LEAST_IMAGES = 4  # of a process: with fewer, a step is mostly calls
KILLED = f"a process of the training was killed, probably for lack of memory: {LESS}"

Work = Callable[[Processes], None]


def processes_for(threads: int, images: int) -> int:
    """Return how many processes should train on a CPU: those that use most threads, then most.

    Parameters
    ----------
    threads : int
        To divide among them.
    images : int
        Computed at once: the batch size divided by `accumulate`.
    """
    if sys.platform != "linux":  # elsewhere a fork is not safe
        return 1
    counts = range(1, max(1, min(threads, images // LEAST_IMAGES)) + 1)
    return max(counts, key=lambda count: (threads // count * count, count))


def train_together(count: int, work: Work) -> None:
    """Call `work` in `count` processes: in this one, the first, and in forks of it.

    This has to come before torch computes anything, since its threads do not survive a fork. The
    forks end with this process, however it ends.

    Raises
    ------
    InputError
        From `work` in any of the processes; or a process was killed.
    RuntimeError
        `work` failed otherwise in another process.
    """
    if count == 1:
        work(Processes())
        return
    os.environ["LOCAL_WORLD_SIZE"] = str(count)
    context = get_context("fork")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        others = [
            context.Process(target=_work_in_fork, args=(folder, count, rank, work), daemon=True)
            for rank in range(1, count)
        ]
        gc.collect()  # a fork that destroyed an earlier group of this process would wait forever
        # A process that is stopped before it joins would leave the others waiting for it.
        heeded = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            for other in others:
                other.start()
            with _joined(folder, count, 0, others) as processes:
                signal.pthread_sigmask(signal.SIG_SETMASK, heeded)
                try:
                    work(processes)
                except RuntimeError as error:  # gloo raises it where another process has ended
                    _raise_cause(error, others, folder)
            for other in others:
                other.join()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heeded)
            for other in filter(BaseProcess.is_alive, others):
                other.kill()
                other.join()


@contextmanager
def _joined(
    folder: Path, size: int, rank: int, others: Sequence[BaseProcess] = ()
) -> Iterator[Processes]:
    """Join the group; the first process does so once all `others` are there, or raises."""
    os.environ["RANK"] = str(rank)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # needs no name of this machine
    store = dist.FileStore(str(folder / "rendezvous"), size)
    store.set(str(rank), "here")
    for number, other in enumerate(others, 1):
        while not store.check([str(number)]):
            if not other.is_alive():
                raise InputError(KILLED)
            time.sleep(0.01)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=PATIENCE)
    try:
        yield Processes(rank, size)
    finally:
        dist.destroy_process_group()


def _work_in_fork(folder: Path, size: int, rank: int, work: Work) -> None:
    """Leave all reports to the first process, which fails once this one has left the group."""
    end_with_parent()
    logging.disable()
    with _joined(folder, size, rank) as processes:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            work(processes)
        except InputError as error:
            _report(folder, rank, str(error), error.rest)
        except (Interrupted, KeyboardInterrupt):
            pass  # the first process was asked to stop, too
        except Exception:
            _report(folder, rank, traceback.format_exc(), None)


def _report(folder: Path, rank: int, text: str, rest: tuple[str, ...] | None) -> None:
    """Write what this process failed of; `rest` is that of an `InputError`, None for a defect."""
    with atomic_path(folder / f"{rank}.json") as temporary:
        temporary.write_text(json.dumps([text, rest]))


def _raise_cause(error: RuntimeError, others: list[BaseProcess], folder: Path) -> NoReturn:
    """Raise why another process failed, if it failed first; else `error`.

    One that is killed, or has wrong input, makes the rest fail of gloo.
    """
    reports = [json.loads(file.read_text()) for file in folder.glob("*.json")]
    for text, rest in reports:
        if rest is not None:
            raise InputError(text, rest) from None
    for other in others:
        other.join(1)  # one that was killed has ended
    if any((other.exitcode or 0) < 0 for other in others):
        raise InputError(KILLED) from None
    for text, _ in reports:
        raise RuntimeError(f"another process of the training failed:\n{text}") from error
    raise error
