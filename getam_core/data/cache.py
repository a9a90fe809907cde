"""Decoded images in memory that a loader's workers share and that outlasts them."""

import mmap
import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MOST = 8 << 30  # bytes: enough for PASCAL VOC's augmented training set with its saliency
CGROUPS = Path("/sys/fs/cgroup")
LIMITS = {"": "memory.max", "memory": "memory.limit_in_bytes"}  # versions 2 and 1
COLUMNS = 4  # of the table: whether the image is cached, its start, height and width


class ImageCache:
    """Images (H, W, 3) and optionally a plane (H, W) for each, all uint8, by number.

    Images are never evicted; one that no longer fits is not cached. The memory belongs to the
    parent: forked processes read and write the same, and the system allocates it only as it fills.

    Parameters
    ----------
    images : int
        Number of images.
    planes : bool
        Whether each image has a plane.
    capacity : int, optional
        Bytes; by default a quarter of the memory that the process may use, divided by the number of
        processes that torchrun started on the machine, but at most 8 GiB.
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
        """Return views of an image and its plane, or None if it is not cached."""
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
            used = self._table[-1]  # the row after those of the images
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
    whose line for version 2 names no controller. A container may see its own group as the root, not
    under the path given there: folders that do not exist set no limit.
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
