"""Optimisers, parameter groups and learning rates over the steps of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn, optim

GROUPS = ("stem", "backbone", "heads")


@dataclass(frozen=True)
class Schedule:
    """Learning rate of every parameter group as a function of the step.

    `poly` falls as (1 - progress)^0.9 over the whole run, as in the released code. `cosine` falls
    to zero over each half and starts anew for the second (Loshchilov & Hutter 2017), since its
    decoder is new then. Warm-up is linear over the first share of a fall. From step `second_half`
    on, each group's rate is multiplied by `second_half_scale[group]` (released code: 0.1).
    """

    steps: int
    second_half: int
    base: Mapping[str, float]
    second_half_scale: Mapping[str, float]
    kind: str = "poly"
    warmup: float = 0.0

    def rate(self, group: str, step: int) -> float:
        """Return the learning rate of `group` at `step`, 0 <= step < steps."""
        scale = self.second_half_scale[group] if step >= self.second_half else 1.0
        return self.base[group] * scale * self._shape(step)

    def apply(self, optimizer: optim.Optimizer, step: int) -> None:
        """Set the rates of an optimiser that `build_optimizer` made."""
        for group in optimizer.param_groups:
            group["lr"] = self.rate(group["name"], step)

    def _shape(self, step: int) -> float:
        step, steps = self._fall(step)
        warmup = round(self.warmup * steps)
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, steps - warmup)
        if self.kind == "poly":
            return (1 - progress) ** 0.9
        return 0.5 * (1 + math.cos(math.pi * progress))

    def _fall(self, step: int) -> tuple[int, int]:
        """Place of the step in its fall, and the fall's length."""
        if self.kind == "poly":
            return step, self.steps
        if step < self.second_half:
            return step, self.second_half
        return step - self.second_half, self.steps - self.second_half


def build_optimizer(
    groups: Mapping[str, Sequence[nn.Parameter]], kind: str, weight_decay: float
) -> optim.Optimizer:
    """Build SGD (momentum 0.9) or AdamW over named groups; rates come from `Schedule.apply`.

    The released code shifts its optimiser's arguments by one (momentum 5e-4, no decay); the evident
    intent is built here. Parameters with fewer than two axes (biases, norms) are not decayed.
    """
    params = [
        {"name": name, "params": [p for p in group if (p.ndim > 1) == decayed], "weight_decay": d}
        for name, group in groups.items()
        for decayed, d in ((True, weight_decay), (False, 0.0))
    ]
    params = [group for group in params if group["params"]]
    if kind == "sgd":
        return optim.SGD(params, lr=0.0, momentum=0.9)
    return optim.AdamW(params, lr=0.0)
