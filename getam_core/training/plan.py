"""What `loop` needs for a training: an objective, which is the method, and a plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn, optim

from getam_core.training.batches import Order, Shuffle, shuffled
from getam_core.training.optimisation import Schedule, build_optimizer, embeddings


class Objective(Protocol):
    """A method's module: its network, and the loss of a batch. `getam.Getam` is one.

    Attributes
    ----------
    network : nn.Module
        What is trained, with `parameter_groups() -> {name: parameters}`.
    terms : tuple of str
        Names of the terms of the loss; they become columns of metrics.csv.
    """

    network: nn.Module
    terms: tuple[str, ...]

    def phase(self, epochs: float) -> str:
        """Return the name of the phase after this many epochs; called before every step."""

    def leaves_out(self, phase: str) -> bool:
        """Whether some parameters have no part in the loss of a phase."""

    def batch(self, samples: Any, device: torch.device, *, idle: bool) -> Any:
        """Put collated samples on a device; in an idle part, nothing counts."""

    def __call__(self, batch: Any, phase: str) -> tuple[Tensor, Tensor]:
        """Return the loss with its graph, and detached, loss and terms, (1 + terms,)."""


@dataclass(frozen=True)
class Plan:
    """How long and how to train; rates and scales are by parameter group.

    Attributes
    ----------
    second_half : int
        First epoch of the half in which `schedule` scales the rates; `epochs` for none.
    decay_vectors : bool
        Apply weight decay to biases and norms too, as for the saliency network.
    accumulate : int
        Parts of a batch, computed one after the other.
    drop_last, shuffle
        See `batches.Order`.
    seed : int
        Of the order, and of the network's random layers.
    remedy : str
        Advice in the error for a loss or gradient that is not finite.
    reseed : bool
        Reseed random layers, instead of continuing after the numbers drawn for the weights.
    """

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: Mapping[str, float]
    second_half: int
    second_half_scale: Mapping[str, float]
    schedule: str
    warmup: float
    weight_decay: float
    decay_vectors: bool = False
    gradient_clip: float | None = None
    precision: str = "float32"
    accumulate: int = 1
    drop_last: bool = False
    shuffle: Shuffle = shuffled
    seed: int = 0
    reseed: bool = True
    validate_every: int = 1
    checkpoint_minutes: float = 10.0
    remedy: str = "lower train.learning_rate or set train.gradient_clip"

    @property
    def order(self) -> Order:
        """How images are put into batches."""
        return Order(self.seed, self.batch_size, self.accumulate, self.drop_last, self.shuffle)

    def optimizer_of(self, network: nn.Module) -> optim.Optimizer:
        """Return the optimiser of a network's parameter groups."""
        return build_optimizer(
            network.parameter_groups(),
            self.optimizer,
            self.weight_decay,
            decay_vectors=self.decay_vectors,
            spared=embeddings(network),
        )

    def rates(self, steps_per_epoch: int) -> Schedule:
        """Return the learning rates of a training with this many steps per epoch."""
        return Schedule(
            steps=self.epochs * steps_per_epoch,
            second_half=self.second_half * steps_per_epoch,
            base=self.learning_rate,
            second_half_scale=self.second_half_scale,
            kind=self.schedule,
            warmup=self.warmup,
        )
