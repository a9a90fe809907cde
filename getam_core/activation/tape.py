"""What GETAM needs from a forward pass, recorded where attention is computed.

Fused attention never forms its matrix A, and GETAM needs only one row of it: that of the [class]
token. With O = A V, the gradient of a logit y is dy/dA[0, j] = <dy/dO[0], V[j]>, and the row
itself is softmax(scale * q_class K^T). So the tape keeps Q, K, V and O, which the backward
pass keeps anyway, and memory stays linear in the number of tokens.

Shapes: B images, L blocks, H heads, N patches, T prefix tokens ([class] first), D head dimension.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from getam_core.activation.models import evaluating, prefix_tokens
from getam_core.errors import InputError

_ATTENTION = F.scaled_dot_product_attention


@dataclass(frozen=True)
class Block:
    """One call of attention; all but `output` are detached, unless the tape keeps their graph."""

    query: Tensor  # (B, H, T + N, D)
    key: Tensor  # (B, H, T + N, D)
    value: Tensor  # (B, H, T + N, D)
    bias: Tensor | None  # attention mask or relative position bias, (..., T + N, T + N)
    scale: float
    output: Tensor  # (B, H, T + N, D), part of the graph

    def detached(self) -> Self:
        """Return a copy in which all but `output` are detached."""
        bias = None if self.bias is None else self.bias.detach()
        tensors = {name: getattr(self, name).detach() for name in ("query", "key", "value")}
        return replace(self, **tensors, bias=bias)

    def class_row(self, images: Tensor) -> Tensor:
        """Return the attention of [class] to all tokens, (images, H, T + N); rows sum to 1."""
        return self.rows(images, slice(1))[:, :, 0]

    def class_row_gradient(self, gradient: Tensor, images: Tensor) -> Tensor:
        """Turn dy/dO, (B, H, T + N, D), into dy/dA of the [class] row, (images, H, T + N)."""
        return self.row_gradients(gradient, images, slice(1))[:, :, 0]

    def rows(self, images: Tensor, tokens: slice) -> Tensor:
        """Return the attention of some tokens to all, (images, H, tokens, T + N)."""
        query = _precise(self.query[images, :, tokens]) * self.scale
        scores = query @ _precise(self.key[images]).transpose(-2, -1)
        if self.bias is not None:
            scores = scores + self._bias_of(images, tokens)
        return scores.softmax(-1)

    def row_gradients(self, gradient: Tensor, images: Tensor, tokens: slice) -> Tensor:
        """Turn dy/dO, (B, H, T + N, D), into dy/dA of some rows, (images, H, tokens, T + N)."""
        of_rows = _precise(gradient[images, :, tokens])
        return of_rows @ _precise(self.value[images]).transpose(-2, -1)

    def _bias_of(self, images: Tensor, tokens: slice) -> Tensor:
        bias = self.bias[..., tokens, :] if self.bias.shape[-2] > 1 else self.bias
        if bias.dtype == torch.bool:
            bias = torch.zeros_like(bias, dtype=torch.float32).masked_fill(~bias, -math.inf)
        return _precise(bias[images] if bias.dim() == 4 and len(bias) > 1 else bias)


def _precise(x: Tensor) -> Tensor:
    """Return at least float32, whatever autocast used."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@dataclass
class Tape:
    """The attention calls of one forward pass, in order; T is `prefix`."""

    prefix: int
    blocks: list[Block] = field(default_factory=list)
    keeps_graph: bool = False  # of queries and keys, for a loss on attention

    def patches(self) -> int:
        """Return N, the number of patch tokens; `InputError` if nothing was recorded."""
        return self.select(None)[-1].key.shape[2] - self.prefix

    def select(self, blocks: int | Sequence[int] | None) -> list[Block]:
        """Return all blocks (None), the last n (an int), or those with the given indices.

        Raises
        ------
        InputError
            Nothing was recorded, or there are fewer blocks.
        """
        total = len(self.blocks)
        if not total:
            raise InputError(
                "no call of scaled_dot_product_attention was recorded: run the forward pass inside"
                " record(model), with fused attention on (timm.layers.set_fused_attn(True));"
                " windowed attention and CNNs have no [class] row, use a plain ViT"
            )
        wanted = range(total) if blocks is None else blocks
        if isinstance(wanted, int):
            wanted = range(total - wanted, total) if wanted > 0 else ()
        if not len(wanted) or not all(0 <= i < total for i in wanted):
            raise InputError(f"blocks={blocks}: the network has {total}, numbered from 0")
        return [self.blocks[i] for i in wanted]


class _Recorder(TorchFunctionMode):
    def __init__(self, tape: Tape):
        super().__init__()
        self.tape = tape

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is F.multi_head_attention_forward:
            return self._inside(function, *args, **kwargs)
        if function is _ATTENTION:
            return self._attend(*args, **kwargs)
        return function(*args, **kwargs)

    def _attend(self, *args: Any, **kwargs: Any) -> Tensor:
        output = _ATTENTION(*args, **kwargs)
        block = _block(output, *args, **kwargs)
        self.tape.blocks.append(block if self.tape.keeps_graph else block.detached())
        return output

    def _inside(self, function: Callable, *args: Any, **kwargs: Any) -> Any:
        """Run nn.MultiheadAttention's function, whose call of attention no mode intercepts."""
        F.scaled_dot_product_attention = self._attend
        try:
            return function(*args, **kwargs)
        finally:
            F.scaled_dot_product_attention = _ATTENTION


def _block(
    output: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Block:
    """Keep what GETAM needs; the arguments are those of `scaled_dot_product_attention`."""
    if dropout_p or is_causal or query.shape[1] != key.shape[1]:
        raise InputError(
            "maps need plain attention: no attention dropout (attn_drop_rate 0, or model.eval()),"
            " no causal mask, no grouped queries"
        )
    return Block(
        query=query,
        key=key,
        value=value,
        bias=attn_mask,
        scale=query.shape[-1] ** -0.5 if scale is None else scale,
        output=output,
    )


@contextmanager
def record(
    model: nn.Module, *, prefix: int | None = None, keep_graph: bool = False
) -> Iterator[Tape]:
    """Record every call of `torch.nn.functional.scaled_dot_product_attention` in the block.

    Parameters
    ----------
    model : nn.Module
        A classifier whose first token is [class]; may hold the transformer in `vit`.
    prefix : int or None
        Number T of tokens before the patches; None to infer it, see `prefix_tokens`.
    keep_graph : bool
        Keep the graph of queries and keys, for a loss on attention itself.

    Yields
    ------
    Tape
        Filled by a forward pass in the block, for `maps_from` after the block. It holds the
        graph: drop it once the maps are made.
    """
    known = prefix_tokens(model) if prefix is None else prefix
    tape = Tape(prefix=known, keeps_graph=keep_graph)
    with _Recorder(tape):
        yield tape


@contextmanager
def for_maps(model: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """Prepare the model for a map pass in the block, and restore it afterwards.

    Layers are in eval mode, since batch norm in training mode makes the logits of an image depend
    on the other images. A graph is built even under `torch.no_grad` or `torch.inference_mode`,
    because the yielded images require a gradient. Parameters require none meanwhile, which saves
    the third of the graph's memory that only their gradients would need.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        with evaluating(model), torch.inference_mode(False), torch.enable_grad():
            yield images.detach().clone().requires_grad_()
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
