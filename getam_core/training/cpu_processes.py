"""Several processes of one training on a CPU, each on its share of the threads.

Threads of one process wait for each other at every layer, processes only once in a step.
"""

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from multiprocessing import SimpleQueue, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

import torch.distributed as dist

from getam_core.errors import InputError, Interrupted
from getam_core.processes import LESS, end_with_parent
from getam_core.training.distributed import PATIENCE, Processes

SHARE = 4  # images of a batch for each process: with fewer, a step is mostly calls

Work = Callable[[Processes], None]
Failures = SimpleQueue  # of (message, rest) for wrong input, (traceback, None) for a defect


def processes_for(threads: int, images: int) -> int:
    """Return how many processes should train on a CPU.

    Parameters
    ----------
    threads : int
        That they have together.
    images : int
        Of a batch, computed at once.
    """
    if sys.platform != "linux":  # elsewhere a fork is not safe
        return 1
    return max(1, min(threads, images // SHARE))


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
    with tempfile.TemporaryDirectory() as folder:
        group, failures = partial(_group, count, Path(folder, "meeting")), context.SimpleQueue()
        others = [
            context.Process(target=_work_in_fork, args=(group(rank), work, failures), daemon=True)
            for rank in range(1, count)
        ]
        try:
            for other in others:
                other.start()
            with group(0) as processes:
                try:
                    work(processes)
                except RuntimeError as error:  # gloo raises it where another process has ended
                    _raise_cause(error, others, failures)
            for other in others:
                other.join()
        finally:
            for other in filter(BaseProcess.is_alive, others):
                other.kill()
                other.join()


@contextmanager
def _group(size: int, meeting: Path, rank: int) -> Iterator[Processes]:
    os.environ["RANK"] = str(rank)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # needs no name of this machine
    dist.init_process_group(
        "gloo", init_method=meeting.as_uri(), rank=rank, world_size=size, timeout=PATIENCE
    )
    try:
        yield Processes(rank, size)
    finally:
        dist.destroy_process_group()


def _work_in_fork(group: AbstractContextManager[Processes], work: Work, failures: Failures) -> None:
    """Leave all reports to the first process, which fails once this one has left the group."""
    end_with_parent()
    logging.disable()
    with group as processes:
        try:
            work(processes)
        except InputError as error:
            failures.put((str(error), error.rest))
        except (Interrupted, KeyboardInterrupt):
            pass  # the first process was asked to stop, too
        except Exception:
            failures.put((traceback.format_exc(), None))


def _raise_cause(error: RuntimeError, others: list[BaseProcess], failures: Failures) -> NoReturn:
    """Raise what another process has failed of before, else `error`."""
    if not failures.empty():
        message, rest = failures.get()
        if rest is not None:
            raise InputError(message, rest) from None
        raise RuntimeError(f"another process of the training failed:\n{message}") from error
    for other in others:
        other.join(1)  # one that was killed has ended
    if any((other.exitcode or 0) < 0 for other in others):
        raise InputError(
            f"a process of the training was killed, probably for lack of memory: {LESS}"
        ) from None
    raise error
