"""The batches of an epoch: their order, the share of each process, loading from any step on."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import Dataset

from getam_core.data.loader import image_loader
from getam_core.training.distributed import Part, Processes, divide

Shuffle = Callable[[int, int, int], list[int]]


def shuffled(images: int, seed: int, epoch: int) -> list[int]:
    """Return the indices of the images in the order of an epoch."""
    return torch.randperm(images, generator=_generator(seed, epoch)).tolist()


def _generator(seed: int, epoch: int) -> torch.Generator:
    """Return the epoch's own generator, which leaves the global one to the network's layers."""
    return torch.Generator().manual_seed(1_000_003 * seed + epoch)


@dataclass(frozen=True)
class Order:
    """The order of images, which depends only on seed and epoch, not on how a batch is divided.

    Attributes
    ----------
    parts : int
        Parts of a batch, computed one after the other.
    drop_last : bool
        Leave out a last batch that is smaller than the others.
    shuffle : Shuffle
        (images, seed, epoch) -> indices.
    """

    seed: int
    batch_size: int
    parts: int = 1
    drop_last: bool = False
    shuffle: Shuffle = shuffled

    def batches(self, images: int, epoch: int) -> list[list[int]]:
        """Return the indices of every batch of an epoch."""
        indices = self.shuffle(images, self.seed, epoch)
        starts = range(0, self.steps(images) * self.batch_size, self.batch_size)
        return [indices[start : start + self.batch_size] for start in starts]

    def steps(self, images: int) -> int:
        """Return the number of batches of an epoch, at least one."""
        full, rest = divmod(images, self.batch_size)
        return full + bool(rest and not (self.drop_last and full))


def load_parts(
    images: Dataset,
    order: Order,
    prepare: Callable[[Any, Part], Any],
    *,
    epoch: int,
    start: int,
    processes: Processes,
    workers: int,
    pin_memory: bool = False,
) -> Generator[tuple[int, list[tuple[float, Any]]]]:
    """Load this process's parts of the batches of an epoch, from batch `start` on.

    Parameters
    ----------
    images : Dataset
        With a length, and `set_epoch`, which chooses their random crops.
    prepare : callable
        Turns collated samples, and the part they belong to, into what a step takes.

    Yields
    ------
    size : number of images of the batch, over all processes.
    parts : weight of each part, and what `prepare` returned for it.
    """
    images.set_epoch(epoch)
    batches = order.batches(len(images), epoch)[start:]
    parts = [divide(batch, order.parts, processes) for batch in batches]
    loaded = iter(
        image_loader(
            images,
            batch_sampler=[part.indices for own in parts for part in own],
            num_workers=workers,
            generator=_generator(order.seed, epoch),
            pin_memory=pin_memory,
        )
    )
    for batch, own in zip(batches, parts, strict=True):
        yield len(batch), [(part.weight, prepare(next(loaded), part)) for part in own]
