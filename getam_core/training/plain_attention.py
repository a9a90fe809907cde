"""Attention as the products that define it, where a CPU computes their gradient faster."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

LARGEST = 32 * 2**20  # bytes of all (B, H, N, N) attention; beyond, fused attention is faster


class PlainAttention(TorchFunctionMode):
    """Within the block, attention under autocast on a CPU is softmax(scale * Q K^T) V.

    PyTorch's fused form takes several times as long backward in half precision
    (docs/decisions.md). It stays for attention without a graph, in float32, with a mask, with
    dropout, or of more than `LARGEST`; and inside `nn.MultiheadAttention`, which calls it unseen.
    """

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is F.scaled_dot_product_attention and _is_faster(*args, **kwargs):
            return plain_attention(*args, **kwargs)
        return function(*args, **kwargs)


def _is_faster(query: Tensor, key: Tensor, value: Tensor, *others: Any, **options: Any) -> bool:
    """Whether this call has a small matrix, a graph, and no option but `scale`."""
    if others or options.get("attn_mask") is not None:
        return False
    if any(options.get(name) for name in ("dropout_p", "is_causal", "enable_gqa")):
        return False
    size = query[..., 0].numel() * key.shape[-2] * query.element_size()
    graph = torch.is_grad_enabled() and (query.requires_grad or value.requires_grad)
    return torch.is_autocast_enabled("cpu") and graph and size <= LARGEST


def plain_attention(
    query: Tensor, key: Tensor, value: Tensor, scale: float | None = None, **_: Any
) -> Tensor:
    """Return softmax(scale * Q K^T) V of (B, H, N, D) tensors; `scale` is D^-0.5 by default."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    return (scale * query @ key.transpose(-2, -1)).softmax(-1) @ value
