"""How much memory a computation needs at its peak, as the kernel counts it (Linux, CPU)."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any


def peak_megabytes(form: Callable[[], Any]) -> float | None:
    """Return the highest resident memory during `form()` beyond that before it, MB.

    What the allocator holds in reserve is given back first, and the kernel's high-water mark is
    set to what is resident then. None where there is no such mark.
    """
    mark, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not mark.exists():
        return None
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    mark.write_text("5")
    before = _kilobytes(status, "VmRSS")
    form()
    return (_kilobytes(status, "VmHWM") - before) / 1000


def _kilobytes(status: Path, name: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])
