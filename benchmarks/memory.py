"""How much memory a computation needs at its peak, as the kernel (Linux) or the GPU counts it."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import CPU


def peak_megabytes(form: Callable[[], Any], device: torch.device = CPU) -> float | None:
    """Return how far the memory of `device` rises during `form()` above that before it, MB.

    None where no peak is recorded: on a CPU outside Linux.
    """
    gc.collect()
    return _on_gpu(form, device) if device.type == "cuda" else _on_cpu(form)


def _on_gpu(form: Callable[[], Any], device: torch.device) -> float:
    """Measure what tensors hold, not what PyTorch keeps in reserve for the next ones."""
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    form()
    return (torch.cuda.max_memory_allocated(device) - before) / 1e6


def _on_cpu(form: Callable[[], Any]) -> float | None:
    """Measure resident memory.

    First the allocator returns what it holds in reserve, and the kernel's high-water mark is reset
    to what is then resident.
    """
    mark, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not mark.exists():
        return None
    ctypes.CDLL(None).malloc_trim(0)
    mark.write_text("5")
    before = _kilobytes(status, "VmRSS")
    form()
    return (_kilobytes(status, "VmHWM") - before) / 1000


def _kilobytes(status: Path, name: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])
