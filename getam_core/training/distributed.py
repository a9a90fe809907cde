"""Several processes with one training: each takes its part of every batch, all take the same step.

`torchrun` starts them, on one node or on many. The terms of the objective are means over all
processes (`Processes.count`), so that the number of processes changes neither loss nor gradient.
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
PATIENCE = timedelta(hours=2)  # the first process alone validates and writes


@dataclass(frozen=True)
class Processes:
    """The processes of a training; alone by default."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that validates, logs and writes."""
        return self.rank == 0

    def share_statistics(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Let batch norms on GPUs take the statistics of all processes' images."""
        if self.size == 1 or device.type != "cuda":
            return network
        return convert_sync_batchnorm(network)  # torch's leaves out activations in timm's norms

    def wrap(self, module: nn.Module, device: torch.device, *, unused: bool) -> nn.Module:
        """Return the module with gradients averaged over the processes by a backward pass.

        `unused`: some parameters have no part in the forward pass.
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
        """Divide a count over all processes by their number; at least 1 is counted.

        A sum over this process's part divided by it is, averaged over the processes as gradients
        are, the mean over the whole.
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
        """Return what the first process answers, a plain value; the others do not look."""
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
    """What one process does of a batch at once."""

    indices: list[int]
    weight: float  # share of the batch's images that all processes do at once
    idle: bool = False  # there is no image left: the indices only keep this process busy


def divide(batch: Sequence[int], parts: int, processes: Processes) -> list[Part]:
    """Cut a batch into parts, one after the other, and each among the processes.

    Sizes differ by one at most. All processes get as many parts, none of them empty.
    """
    own = []
    for part in _cut(batch, parts):
        shares = _cut(part, processes.size)
        idle = processes.rank >= len(shares)
        indices = part[:1] if idle else shares[processes.rank]
        own.append(Part(indices, len(part) / len(batch), idle))
    return own


def _cut(items: Sequence[int], parts: int) -> list[list[int]]:
    """Cut into at most so many pieces, none of them empty."""
    tensor = torch.tensor(list(items), dtype=torch.long)
    return [piece.tolist() for piece in tensor.tensor_split(min(parts, len(tensor)))]


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started, each with a device; without it, be alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
