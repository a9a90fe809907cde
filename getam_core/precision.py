"""The number format of matrix products: what a device multiplies fast."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from getam_core.errors import InputError

_LARGEST_ATTENTION = 32 * 2**20  # bytes of the matrix A; beyond, fused attention is faster


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


@contextmanager
def products_of_training(device: torch.device, chosen: torch.dtype) -> Iterator[None]:
    """Run the block with matrix products in the format that `number_format` returned.

    On a CPU, the backward pass of PyTorch's fused attention is slow in bfloat16: attention with a
    graph is then computed as the products that define it (docs/decisions.md).
    """
    mixed = chosen != torch.float32
    plain = _PlainAttention() if mixed and device.type == "cpu" else nullcontext()
    with torch.autocast(device.type, chosen if mixed else None, enabled=mixed), plain:
        yield


class _PlainAttention(TorchFunctionMode):
    """Computes attention as softmax(scale * Q K^T) V where that is the faster form."""

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is F.scaled_dot_product_attention and _small(*args, **kwargs):
            return _attention(*args, **kwargs)
        return function(*args, **kwargs)


def _small(query: Tensor, key: Tensor, value: Tensor, *others: Any, **options: Any) -> bool:
    """Whether this is attention without mask or dropout, with a graph, whose matrix is small."""
    if others or any(options.get(name) for name in ("dropout_p", "is_causal", "enable_gqa")):
        return False
    size = query[..., 0].numel() * key.shape[-2] * query.element_size()
    mixed = torch.is_autocast_enabled(query.device.type)  # maps switch float16 off
    graph = mixed and torch.is_grad_enabled() and (query.requires_grad or value.requires_grad)
    return options.get("attn_mask") is None and graph and size <= _LARGEST_ATTENTION


def _attention(
    query: Tensor, key: Tensor, value: Tensor, scale: float | None = None, **_: Any
) -> Tensor:
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    return (scale * query @ key.transpose(-2, -1)).softmax(-1) @ value


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
