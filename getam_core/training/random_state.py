"""The state of torch's random numbers on the CPU and on one GPU, as plain tensors."""

import torch
from torch import Tensor


def random_state(device: torch.device) -> dict[str, Tensor | None]:
    """Return what `set_random_state` needs for the same numbers to follow."""
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_random_state(device: torch.device, state: dict[str, Tensor | None]) -> None:
    """Go on with the numbers of a state; one of a CPU leaves those of a GPU as they are."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
