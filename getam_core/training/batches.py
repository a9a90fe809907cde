"""The batches of an epoch: their order, what each process does of them, loaded from any step on."""

from collections.abc import Generator
from dataclasses import dataclass, replace

import torch

from getam_core.data.loader import image_loader
from getam_core.data.training_set import TrainingSet
from getam_core.training.distributed import Part, Processes, divide
from getam_core.training.objective import Batch


@dataclass(frozen=True)
class Order:
    """The order of an epoch's images: of seed and epoch alone, however it is divided."""

    seed: int
    epoch: int
    batch_size: int
    parts: int = 1  # of a batch, one after the other

    def generator(self) -> torch.Generator:
        """Return the epoch's own generator, which leaves the global one to the network's layers."""
        return torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch)

    def batches(self, images: int) -> list[list[int]]:
        """Return the indices of every batch; the last one may be smaller."""
        order = torch.randperm(images, generator=self.generator())
        return [batch.tolist() for batch in order.split(self.batch_size)]


def load_parts(
    training_set: TrainingSet,
    order: Order,
    *,
    start: int,
    processes: Processes,
    device: torch.device,
    workers: int,
    saliency_threshold: float | None,
) -> Generator[tuple[int, list[tuple[float, Batch]]]]:
    """Load this process's parts of the batches from number `start` on.

    Parameters
    ----------
    saliency_threshold : what is above it is salient; None for batches without saliency.

    Yields
    ------
    size : number of images of the batch, over all processes.
    parts : weight and images of each part, on `device` as far as a `Batch` is.
    """
    training_set.set_epoch(order.epoch)
    batches = order.batches(len(training_set))[start:]
    parts = [divide(batch, order.parts, processes) for batch in batches]
    loaded = iter(
        image_loader(
            training_set,
            batch_sampler=[part.indices for own in parts for part in own],
            num_workers=workers,
            generator=order.generator(),
            pin_memory=device.type == "cuda",
        )
    )
    for batch, own in zip(batches, parts, strict=True):
        yield (
            len(batch),
            [(part.weight, _batch(part, next(loaded), device, saliency_threshold)) for part in own],
        )


def _batch(
    part: Part, samples: dict[str, torch.Tensor], device: torch.device, threshold: float | None
) -> Batch:
    batch = Batch.of(samples, threshold, device)
    if not part.idle:
        return batch
    none = {"targets": torch.zeros_like(batch.targets), "valid": torch.zeros_like(batch.valid)}
    return replace(batch, **none)  # no pixel of it counts
