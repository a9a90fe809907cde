"""Several processes in one training: each takes its part of every batch, all take the same step.

`torchrun` starts them, on one node or on many; on a CPU, `cpu_processes` does. The terms of the
objective are means over all processes (`Processes.count`), so that the number of processes changes
neither loss nor gradient.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Answer = TypeVar("Answer")
PATIENCE = timedelta(hours=2)  # others wait while the first process validates and writes


@dataclass(frozen=True)
class Processes:
    """The processes of a training; a single one by default."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that validates, logs and writes."""
        return self.rank == 0

    def share_statistics(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Let batch norms on GPUs use the statistics of all processes' images."""
        if self.size == 1 or device.type != "cuda":
            return network
        return convert_sync_batchnorm(network)  # torch's drops the activations in timm's norms

    def wrap(self, module: nn.Module, device: torch.device, *, unused: bool) -> nn.Module:
        """Return the module, whose backward pass then averages gradients over the processes.

        `unused`: whether some parameters have no part in the forward pass.
        """
        if self.size == 1:
            return module
        return DistributedDataParallel(
            module,
            device_ids=[device] if device.type == "cuda" else None,
            find_unused_parameters=unused,
            gradient_as_bucket_view=True,
        )

    def count(self, number: Tensor) -> Tensor:
        """Return the sum of a count over all processes, at least 1, divided by their number.

        Each process divides the sum over its own part by this. Averaged over the processes, as
        gradients are, that gives the mean over the whole.
        """
        return self.sum(number).clamp(min=1) / self.size

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over the processes, the same in each."""
        if self.size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total

    def ask_first(self, question: Callable[[], Answer]) -> Answer:
        """Return the first process's answer, a plain value; the others do not call `question`."""
        return self.gather(question() if self.is_first else None)[0]

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        dist.all_gather_object(values, value)
        return values


@dataclass(frozen=True)
class Part:
    """What one process computes of a batch at once."""

    indices: list[int]
    weight: float  # share of the batch's images that all processes compute at once
    idle: bool = False  # no image is left for it: the indices only keep it in step


def divide(batch: Sequence[int], parts: int, processes: Processes) -> list[Part]:
    """Cut a batch into consecutive parts, and each part into shares of the processes.

    Sizes differ by at most one. All processes get the same number of parts, none of them empty.
    """
    own = []
    for part in _cut(batch, parts):
        shares = _cut(part, processes.size)
        idle = processes.rank >= len(shares)
        indices = part[:1] if idle else shares[processes.rank]
        own.append(Part(indices, len(part) / len(batch), idle))
    return own


def _cut(items: Sequence[int], parts: int) -> list[list[int]]:
    """Cut into at most `parts` pieces, none of them empty."""
    tensor = torch.tensor(list(items), dtype=torch.long)
    return [piece.tolist() for piece in tensor.tensor_split(min(parts, len(tensor)))]


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started, one per device; without torchrun, run alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
