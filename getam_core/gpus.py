"""Which GPU a process takes: stages that run side by side on one machine take different ones.

A process takes a GPU by locking a file; the lock ends with the process. Slurm shows each of its
jobs only its own GPU; on one machine `snakemake --resources gpu=4` only counts, and each stage sees
all of them.
"""

import fcntl
import logging
import os
import tempfile
from pathlib import Path

import torch

from getam_core.errors import InputError

log = logging.getLogger(__name__)
_locks: dict[int, int] = {}  # GPUs of this process, with the descriptors of their locks


def take_gpu() -> torch.device:
    """Return a GPU that no other process of this user has taken, and make it the current one.

    If all are taken, the first one is shared. A process that already has one keeps it.

    Raises
    ------
    InputError
        torchrun has started more processes here than there are free GPUs; processes of one training
        cannot share a GPU.
    """
    count, processes = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if processes > count:
        raise InputError(
            f"gpus: {processes} processes, but only {count} GPU{'s' * (count != 1)};"
            " start at most one process per GPU"
        )
    taken = next((gpu for gpu in range(count) if _take(gpu)), None)
    if taken is None and processes > 1:
        raise InputError(
            f"gpus: all {count} GPUs are taken, some by processes outside this training"
            f" ({processes} processes); wait for those, or let Snakemake count: --resources gpu=N"
        )
    if taken is None:
        log.warning("all %d GPUs are taken by other processes; sharing the first", count)
        taken = 0
    torch.cuda.set_device(taken)
    return torch.device("cuda", taken)


def _take(gpu: int) -> bool:
    if gpu in _locks:
        return True
    name = f"getam-{os.getuid()}-gpu-{torch.cuda.get_device_properties(gpu).uuid}.lock"
    path = Path(tempfile.gettempdir(), name)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    _locks[gpu] = lock
    return True
