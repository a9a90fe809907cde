"""The number format of matrix products: what a device multiplies fast."""

from contextlib import AbstractContextManager, nullcontext

import torch

from getam_core.errors import InputError


def number_format(precision: str, device: torch.device) -> torch.dtype:
    """Return the format of matrix products; parameters, losses and maps stay float32.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "float16", "auto"}
        "auto" takes bfloat16 where the device multiplies it in hardware: CUDA from Ampere on, CPUs
        with AMX. Older GPUs get float16 with a scaled loss. Other CPUs get float32, since they
        would emulate the other two, which is slower.

    Raises
    ------
    InputError
        "bfloat16" on a GPU without it.
    """
    if precision != "auto":
        chosen = getattr(torch, precision)
        if chosen == torch.bfloat16 and device.type == "cuda" and not _has_bfloat16(device):
            raise InputError(
                f"precision: bfloat16 was requested, but {torch.cuda.get_device_name(device)}"
                " does not support it; use auto, float16 or float32"
            )
        return chosen
    if _has_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if device.type == "cuda" else torch.float32


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not hasattr(torch.cpu, "get_capabilities"):  # before torch 2.9
        return torch.cpu._is_amx_tile_supported()
    return torch.cpu.get_capabilities().get("amx_bf16", False)


def computes_in_float16(device: torch.device) -> bool:
    """Whether autocast to float16 is on, in which small gradients vanish unless they are scaled."""
    on = torch.is_autocast_enabled(device.type)
    return on and torch.get_autocast_dtype(device.type) == torch.float16


def products_of_inference(device: torch.device) -> AbstractContextManager:
    """Return a context in which a GPU with bfloat16 multiplies in it; others stay in float32.

    float16 would do for predictions, but not for maps, whose gradients are not scaled here.
    """
    if device.type == "cuda" and _has_bfloat16(device):
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()
