"""One step of the optimiser: the parts of a batch forward and backward, then the update.

"Part" is what is computed at once; the parts of a batch are summed up in the gradient.
"""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn, optim

from getam_core.training.objective import Batch


class Updater:
    """Steps of an optimiser on a network's parameters.

    Parameters
    ----------
    number_format : torch.dtype
        Of the forward pass, by autocast. The loss is scaled for float16, whose range is too small
        for most gradients; a step whose gradients are not finite is then left out, and the scale
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

    def step(self, objective: nn.Module, parts: Sequence[tuple[float, Batch]]) -> Tensor:
        """Update once; return what `Objective.forward` measured of the batch, and a norm.

        The norm is that of the gradient before clipping; for float16 it is 0, since steps whose
        gradient is not finite are left out then.

        Parameters
        ----------
        objective : `Objective`, or what `Processes.wrap` made of it.
        parts : the weight of each part, 1 in sum, and its images.

        Returns
        -------
        (1 + terms + 1,) Tensor, finite unless training diverges.
        """
        self.optimizer.zero_grad(set_to_none=True)
        values = []
        for number, (weight, batch) in enumerate(parts, 1):
            with self._without_exchange(objective, last=number == len(parts)):
                values.append(weight * self._backward(objective, weight, batch))
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.gradient_clip)
        if self.scaler.is_enabled():
            norm = torch.zeros_like(norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return torch.cat([torch.stack(values).sum(0), norm.detach()[None]])

    def _backward(self, objective: nn.Module, weight: float, batch: Batch) -> Tensor:
        mixed = self.number_format != torch.float32
        with torch.autocast(self.device.type, self.number_format if mixed else None, enabled=mixed):
            loss, values = objective(batch)
        self.scaler.scale(weight * loss).backward()
        return values

    @staticmethod
    def _without_exchange(objective: nn.Module, *, last: bool) -> Any:
        """Let processes exchange gradients with the last part alone."""
        exchanges = hasattr(objective, "no_sync") and not last
        return objective.no_sync() if exchanges else nullcontext()

    def state(self) -> dict[str, Any]:
        """Return what `load` needs to go on."""
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # empty where another machine had no use for one
            self.scaler.load_state_dict(state["scaler"])
