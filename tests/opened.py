"""Which files of a folder are opened, by any process: Linux's inotify, through libc."""

import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

IN_OPEN, IN_ISDIR, IN_NONBLOCK = 0x20, 0x40000000, os.O_NONBLOCK


@contextmanager
def opened_files(folder: Path) -> Iterator[Callable[[], list[str]]]:
    """Watch `folder`; yield a function that returns the names opened since its last call."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(IN_NONBLOCK)
    added = libc.inotify_add_watch(watch, os.fsencode(folder), IN_OPEN)
    assert watch >= 0 and added >= 0, os.strerror(ctypes.get_errno())
    try:
        yield lambda: list(_names(watch))
    finally:
        os.close(watch)


def _names(watch: int) -> Iterator[str]:
    try:
        events = os.read(watch, 1 << 20)
    except BlockingIOError:
        return
    while events:
        _, mask, _, length = struct.unpack_from("iIII", events)
        name, events = events[16 : 16 + length], events[16 + length :]
        if not mask & IN_ISDIR:
            yield name.rstrip(b"\0").decode()
