"""How the parameters change: groups and learning rates, number format, one step of the optimiser.

A "part" of a batch is what is computed at once; the gradients of its parts add up.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn, optim

from getam_core.training.plain_attention import PlainAttention

POWERS = {"poly": 0.9, "linear": 1.0}  # of a decay over the whole run
# Parameters added to tokens or attention, rather than multiplied with them: timm, torchvision, MiT.
EMBEDDINGS = {
    "cls_token", "class_token", "dist_token", "reg_token", "register_tokens", "pos_embed",
    "pos_embedding", "position_embeddings", "rel_pos_bias_table", "relative_position_bias_table",
}  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """Learning rate of every parameter group as a function of the step.

    At step t of T it is `base * scale * (t + 1) / w` in the first w = `warmup` T steps, and
    `base * scale * f((t - w) / (T - w))` from there on. `poly` has f(x) = (1 - x)^0.9, and T steps
    are the whole run, as in the released code. `cosine` has f(x) = (1 + cos(pi x)) / 2, and T steps
    are one half: it restarts with the second (Loshchilov & Hutter 2017), whose decoder is new.
    `linear` is `poly` with f(x) = 1 - x, as in AFA (Ru et al. 2022).
    scale is 1 before step `second_half`, then `second_half_scale[group]` (released code: 0.1).

    `ramped_poly` decays during the warmup too:
    `base * scale * min(1, x / warmup + 0.1) * (1 - x)^0.9` with x = t / T of the whole run.
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
        if self.kind == "ramped_poly":
            progress = step / self.steps
            return min(1.0, progress / self.warmup + 0.1) * (1 - progress) ** 0.9
        step, steps = self._place_in_fall(step)
        warmup = round(self.warmup * steps)
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, steps - warmup)
        if self.kind in POWERS:
            return (1 - progress) ** POWERS[self.kind]
        return 0.5 * (1 + math.cos(math.pi * progress))

    def _place_in_fall(self, step: int) -> tuple[int, int]:
        """Return t and T."""
        if self.kind in POWERS:
            return step, self.steps
        if step < self.second_half:
            return step, self.second_half
        return step - self.second_half, self.steps - self.second_half


def build_optimizer(
    groups: Mapping[str, Sequence[nn.Parameter]],
    kind: str,
    weight_decay: float,
    *,
    decay_vectors: bool = False,
    spared: Collection[nn.Parameter] = (),
) -> optim.Optimizer:
    """Build SGD (momentum 0.9) or AdamW over named groups; rates come from `Schedule.apply`.

    The released code shifts its optimiser's arguments by one (momentum 5e-4, no decay); the evident
    intent is built here. Parameters with fewer than two axes (biases, norms) are not decayed,
    unless `decay_vectors` is set; `spared` ones never are.
    """
    least = 0 if decay_vectors else 2  # fewest axes of a decayed parameter
    never = set(map(id, spared))
    params = [
        {
            "name": name,
            "params": [p for p in group if (p.ndim >= least and id(p) not in never) == decayed],
            "weight_decay": decay,
        }
        for name, group in groups.items()
        for decayed, decay in ((True, weight_decay), (False, 0.0))
    ]
    params = [group for group in params if group["params"]]
    if kind == "sgd":  # fused SGD fails where parameters get their first gradient later than others
        return optim.SGD(params, lr=0.0, momentum=0.9)
    return optim.AdamW(params, lr=0.0, fused=True)  # one call, not ten for each parameter


def embeddings(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that weight decay should leave alone, whatever their axes.

    They are tokens, position embeddings and tables of relative positions: those that a module names
    itself (timm's `no_weight_decay()`), and those whose name is in `EMBEDDINGS`.
    """
    own = {
        f"{place}.{name}".lstrip(".")
        for place, module in network.named_modules()
        if hasattr(module, "no_weight_decay")
        for name in module.no_weight_decay()
    }
    return [
        parameter
        for name, parameter in network.named_parameters()
        if name in own or name.rpartition(".")[2] in EMBEDDINGS
    ]


class Updater:
    """Steps of an optimiser on a network's parameters.

    Parameters
    ----------
    number_format : torch.dtype
        Of the forward pass, by autocast. The loss is scaled for float16, whose range is too small
        for most gradients; a step whose gradients are not finite is then skipped, and the scale
        lowered.
    gradient_clip : float or None
        Highest norm of the gradient.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: optim.Optimizer,
        device: torch.device,
        *,
        number_format: torch.dtype = torch.float32,
        gradient_clip: float | None = None,
    ):
        self.network, self.optimizer, self.device = network, optimizer, device
        self.number_format = number_format
        self.gradient_clip = math.inf if gradient_clip is None else gradient_clip
        self.scaler = torch.amp.GradScaler(device.type, enabled=number_format == torch.float16)

    def step(self, objective: nn.Module, parts: Sequence[tuple[float, Any]], phase: str) -> Tensor:
        """Update once; return the objective's values for the batch, and the norm of the gradient.

        The norm is taken before clipping; for float16 it is 0, since steps whose gradient is not
        finite are skipped then.

        Parameters
        ----------
        objective : nn.Module
            An `Objective` of the loop, or what `Processes.wrap` returned for it.
        parts : sequence of tuple
            The weight of each part, which sum to 1, and its images.
        phase : str
            Of the objective.

        Returns
        -------
        (1 + terms + 1,) Tensor, finite unless training diverges.
        """
        self.optimizer.zero_grad(set_to_none=True)
        values = []
        for number, (weight, batch) in enumerate(parts, 1):
            with self._without_exchange(objective, last=number == len(parts)):
                values.append(weight * self._backward(objective, weight, batch, phase))
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.gradient_clip)
        if self.scaler.is_enabled():
            norm = torch.zeros_like(norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return torch.cat([torch.stack(values).sum(0), norm.detach()[None]])

    def _backward(self, objective: nn.Module, weight: float, batch: Any, phase: str) -> Tensor:
        mixed = self.number_format != torch.float32
        plain = PlainAttention() if mixed and self.device.type == "cpu" else nullcontext()
        chosen = self.number_format if mixed else None
        with torch.autocast(self.device.type, chosen, enabled=mixed), plain:
            loss, values = objective(batch, phase)
        self.scaler.scale(weight * loss).backward()
        return values

    @staticmethod
    def _without_exchange(objective: nn.Module, *, last: bool) -> Any:
        """Let processes exchange gradients only with the last part."""
        exchanges = hasattr(objective, "no_sync") and not last
        return objective.no_sync() if exchanges else nullcontext()

    def state(self) -> dict[str, Any]:
        """Return what `load` needs to resume."""
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        saved = state["optimizer"]["param_groups"]
        for group, own in zip(saved, self.optimizer.param_groups, strict=True):
            group["fused"] = own.get("fused")  # states from before AdamW was fused say None
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # empty if saved where no scaler was needed
            self.scaler.load_state_dict(state["scaler"])
