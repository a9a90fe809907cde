"""Optimisers, parameter groups and learning rates over the steps of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn, optim


@dataclass(frozen=True)
class Schedule:
    """Learning rate of every parameter group as a function of the step.

    At step t of T it is `base * scale * (t + 1) / w` in the first w = `warmup` T steps, and
    `base * scale * f((t - w) / (T - w))` from there on. `poly` has f(x) = (1 - x)^0.9, and T steps
    are the whole run, as in the released code. `cosine` has f(x) = (1 + cos(pi x)) / 2, and T steps
    are one half: it starts anew with the second (Loshchilov & Hutter 2017), whose decoder is new.
    scale is 1 before step `second_half`, then `second_half_scale[group]` (released code: 0.1).
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
        return self.base[group] * scale * self._factor(step)

    def apply(self, optimizer: optim.Optimizer, step: int) -> None:
        """Set the rates of an optimiser that `build_optimizer` made."""
        for group in optimizer.param_groups:
            group["lr"] = self.rate(group["name"], step)

    def _factor(self, step: int) -> float:
        step, steps = self._place_in_fall(step)
        warmup = round(self.warmup * steps)
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, steps - warmup)
        if self.kind == "poly":
            return (1 - progress) ** 0.9
        return 0.5 * (1 + math.cos(math.pi * progress))

    def _place_in_fall(self, step: int) -> tuple[int, int]:
        """Return t and T."""
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
