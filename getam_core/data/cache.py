"""Decoded images in memory that the workers of a loader share, and that outlives them."""

import mmap
import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MOST = 8 << 30  # bytes: the augmented training set of PASCAL VOC with its saliency
CGROUPS = Path("/sys/fs/cgroup")
LIMITS = {"": "memory.max", "memory": "memory.limit_in_bytes"}  # versions 2 and 1
COLUMNS = 4  # of the table: whether the image is there, where it begins, its height and width


class ImageCache:
    """Images (H, W, 3) and, if it is so made, planes (H, W) beside them, all uint8, by number.

    What is put in first stays; what does not fit is left out. The memory is the parent's: forked
    processes read and write the same, and it is taken from the system only as it is filled.

    Parameters
    ----------
    images : int
        How many numbers there are.
    planes : bool
        Whether each image has a plane beside it.
    capacity : int, optional
        Bytes; a quarter of the memory that the process may take, divided by the processes that
        torchrun started on the machine, at most 8 GB, by default.
    """

    def __init__(self, images: int, *, planes: bool, capacity: int | None = None):
        self.channels = 4 if planes else 3
        self.capacity = _capacity() if capacity is None else capacity
        self._memory = _shared(self.capacity, np.uint8)
        self._table = _shared((images + 1) * COLUMNS, np.int64).reshape(-1, COLUMNS)
        self._lock = multiprocessing.Lock()

    def __contains__(self, number: int) -> bool:
        with self._lock:
            return bool(self._table[number, 0])

    def get(self, number: int) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Return views of an image and its plane, or None."""
        with self._lock:
            there, start, height, width = self._table[number].tolist()
        if not there:
            return None
        area = height * width
        values = self._memory[start : start + self.channels * area]
        plane = values[3 * area :].reshape(height, width) if self.channels == 4 else None
        return values[: 3 * area].reshape(height, width, 3), plane

    def put(self, number: int, arrays: Sequence[np.ndarray]) -> None:
        """Keep an image, and its plane, if there is room for them."""
        height, width = arrays[0].shape[:2]
        with self._lock:
            used = self._table[-1]  # the row after the images' own
            end = int(used[1]) + self.channels * height * width
            if self._table[number, 0] or end > self.capacity:
                return
            start, used[1] = int(used[1]), end
            np.concatenate([a.ravel() for a in arrays], out=self._memory[start:end])
            self._table[number] = 1, start, height, width


def _capacity() -> int:
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    membership = Path("/proc/self/cgroup")
    allowed = memory_limits(membership.read_text()) if membership.exists() else []
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # each has a cache
    return min(MOST, min([installed, *allowed]) // 4 // processes)


def memory_limits(membership: str, root: Path = CGROUPS) -> list[int]:
    """Return the limits in bytes of the control groups that a process is in, innermost first.

    Batch systems and containers set them. `membership` is the content of /proc/<process>/cgroup,
    whose line of version 2 has no controller. A container may see its own group as the root, under
    another path than it says: folders that are not there have no limit.
    """
    limits = []
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in LIMITS:
            inner = Path(path.lstrip("/"))
            folders = [root / controllers / part for part in (inner, *inner.parents)]
            files = [folder / LIMITS[controllers] for folder in folders]
            limits += [file.read_text().strip() for file in files if file.is_file()]
    return [int(limit) for limit in limits if limit != "max"]


def _shared(count: int, dtype: type) -> np.ndarray:
    """Return zeros that forked processes share; not in /dev/shm, which may be small."""
    size = max(1, count * np.dtype(dtype).itemsize)
    return np.frombuffer(mmap.mmap(-1, size), dtype, count)
