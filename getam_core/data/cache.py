"""Decoded images in memory that the workers of a loader share, and that outlives them."""

import mmap
import multiprocessing
import os
from collections.abc import Sequence

import numpy as np

MOST = 8 << 30  # bytes: the augmented training set of PASCAL VOC with its saliency
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
        Bytes; a quarter of the machine's memory, at most 8 GB, by default.
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
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(MOST, memory // 4)


def _shared(count: int, dtype: type) -> np.ndarray:
    """Return zeros that forked processes share; not in /dev/shm, which may be small."""
    size = max(1, count * np.dtype(dtype).itemsize)
    return np.frombuffer(mmap.mmap(-1, size), dtype, count)
