"""How the maps of the blocks are combined: the three aggregations of Sun et al. 2021, Fig. 7.

Shapes: B images, M (image, class) pairs, L blocks, H heads, T prefix tokens, S = T + N tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from getam_core.activation.class_rows import Coupling, block_gradients
from getam_core.activation.tape import Block, Tape

FUSIONS = ("sum", "product", "matrix")
ROWS = 2**22  # attention values in memory at once: 16 MB


def fuse(maps_MLN: Tensor, fusion: str) -> Tensor:
    """Combine block maps, element by element.

    Parameters
    ----------
    maps_MLN : (M, L, ...) Tensor
        Non-negative.
    fusion : {"sum", "product"}
        The sum over the blocks (Eq. 3), or the product of the maps, each divided by its maximum:
        otherwise products of twelve squared gradients fall below float32's range.

    Returns
    -------
    (M, ...) Tensor
    """
    if fusion == "sum":
        return maps_MLN.sum(1)
    return _unit(maps_MLN, dims=tuple(range(2, maps_MLN.ndim))).prod(1)


def class_row_product(
    tape: Tape,
    logits: Tensor,
    targets: Tensor,
    couple: Coupling,
    *,
    blocks: int | Sequence[int] | None = None,
    retain_graph: bool = True,
) -> Tensor:
    """Fuse by matrix product: the [class] row of C_L C_(L-1) ... C_1.

    C_l is the coupling (Eq. 2) of the whole attention matrix of the l-th chosen block with its
    gradient, (S, S) with prefix tokens, without an added identity. The product is taken from the
    left, row times matrix, and the row is divided by its maximum after each block. Rows of C_l are
    computed when needed, `ROWS` values at a time, so memory stays linear in the number of tokens.

    Returns
    -------
    (M, N) Tensor, detached: the row over the patches.
    """
    chosen = tape.select(blocks)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    maps_MN = logits.new_zeros(int(targets.sum()), tape.patches(), dtype=dtype)
    for pairs, images, gradients in block_gradients(chosen, logits, targets, retain_graph):
        backwards = list(zip(chosen, gradients, strict=True))[::-1]
        row_MS = None
        for block, gradient in backwards:
            row_MS = _unit(_times(row_MS, block, gradient, images, couple), dims=(1,))
        maps_MN[pairs] = row_MS[:, tape.prefix :]
    return maps_MN.detach()


def _times(
    row_MS: Tensor | None, block: Block, gradient: Tensor, images: Tensor, couple: Coupling
) -> Tensor:
    """Return row times C of the block, (M, S); without a row yet, the [class] row of C itself."""
    if row_MS is None:
        return couple(block.class_row(images), block.class_row_gradient(gradient, images))
    tokens = row_MS.shape[1]
    step = max(1, ROWS // (len(images) * block.key.shape[1] * tokens))
    product_MS = torch.zeros_like(row_MS)
    for start in range(0, tokens, step):
        part = slice(start, start + step)
        coupled = couple(block.rows(images, part), block.row_gradients(gradient, images, part))
        product_MS += torch.einsum("mr,mrs->ms", row_MS[:, part], coupled)
    return product_MS


def _unit(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Divide by the maximum over `dims`; zeros stay zeros."""
    return x / x.amax(dims, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
