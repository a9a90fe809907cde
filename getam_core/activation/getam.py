"""GETAM couples attention with its squared positive gradient (Sun et al. 2021, Sec. 4.1).

Shapes: B images, C classes, M (image, class) pairs, H heads, N = h * w patches, T prefix tokens.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from getam_core.activation.models import check_images, logits_of
from getam_core.activation.passes import check_targets, class_gradients
from getam_core.activation.tape import Block, Tape, for_maps, record
from getam_core.errors import InputError

COUPLINGS = ("per_head", "head_mean")
FUSIONS = ("sum",)


def couple(attention_MHN: Tensor, gradient_MHN: Tensor, coupling: str = "per_head") -> Tensor:
    """Couple one block's attention with its gradient, Eq. 2.

    Parameters
    ----------
    attention_MHN, gradient_MHN : (M, H, N) Tensor
        The [class] row of the attention over the patches, and the logit's gradient there.
    coupling : {"per_head", "head_mean"}
        Where the mean over heads is taken: `mean(relu(g * a)) * mean(relu(g))` (the released
        code), or `relu(mean(g) * mean(a)) * relu(mean(g))` (the paper's text).

    Returns
    -------
    (M, N) Tensor, not negative.
    """
    _check("coupling", coupling, COUPLINGS)
    if coupling == "head_mean":
        attention_MHN = attention_MHN.mean(1, keepdim=True)
        gradient_MHN = gradient_MHN.mean(1, keepdim=True)
    positive_MN = (gradient_MHN * attention_MHN).relu().mean(1)
    return positive_MN * gradient_MHN.relu().mean(1)


def maps_from(
    tape: Tape,
    logits: Tensor,
    targets: Tensor,
    *,
    blocks: int | Sequence[int] | None = None,
    coupling: str = "per_head",
    fusion: str = "sum",
    grid: tuple[int, int] | None = None,
    retain_graph: bool = True,
) -> Tensor:
    """Make GETAM of a forward pass that was recorded, Eq. 3.

    Parameters
    ----------
    tape : of the forward pass that gave `logits`.
    logits : (B, C) Tensor with its graph, raw class scores.
    targets : (B, C) bool Tensor, the classes of which maps are wanted.
    blocks : None for all, n for the last n, or indices from 0.
    coupling : see `couple`.
    fusion : {"sum"}, how blocks are put together.
    grid : (h, w) with h * w = N; None for a square.
    retain_graph : keep the graph, so that a loss can use the same forward pass.

    Returns
    -------
    (M, h, w) Tensor, detached, float32 or better, >= 0, not normalised, in the order of
    `targets.nonzero()`.

    Raises
    ------
    InputError
        An unknown name, blocks that are not there, or a grid that does not fit.
    """
    _check("coupling", coupling, COUPLINGS)
    _check("fusion", fusion, FUSIONS)
    targets = check_targets(logits, targets)
    chosen = tape.select(blocks)
    height, width = grid or _square(tape.patches())
    if height * width != tape.patches() or len(chosen[0].output) != len(logits):
        raise InputError(
            f"grid {height} x {width}: attention is over {tape.patches()} patches and"
            f" {len(chosen[0].output)} rows for {len(logits)} images"
        )
    dtype = torch.promote_types(logits.dtype, torch.float32)
    maps_MN = logits.new_zeros(int(targets.sum()), tape.patches(), dtype=dtype)
    outputs = [block.output for block in chosen]
    passes = class_gradients(logits, targets, outputs, retain_graph=retain_graph)
    with torch.autocast(logits.device.type, enabled=False):  # of squared gradients: float32
        for pairs, images, gradients in passes:
            for block, gradient in zip(chosen, gradients, strict=True):
                maps_MN[pairs] += _block_map(block, gradient, images, tape.prefix, coupling)
    return maps_MN.unflatten(1, (height, width))


def _block_map(
    block: Block, gradient: Tensor, images: Tensor, prefix: int, coupling: str
) -> Tensor:
    """One block's map, (M, N): prefix tokens take part in the softmax, not in the map."""
    attention = block.class_row(images)[:, :, prefix:]
    return couple(attention, block.class_row_gradient(gradient, images)[:, :, prefix:], coupling)


def getam(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    blocks: int | Sequence[int] | None = None,
    coupling: str = "per_head",
    fusion: str = "sum",
    prefix: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Run `model` on `images` and make the maps of the classes in `targets`.

    Parameters
    ----------
    model : any classifier (B, 3, H, W) -> (B, C) whose attention goes through
        `torch.nn.functional.scaled_dot_product_attention` and whose first token is [class]:
        plain ViTs of timm, torchvision and transformers. Where the logits are of pooled patches
        (BEiT, EVA-02), [class] matters only as far as the patches attend to it.
    images : (B, 3, H, W) Tensor, as the model wants them.
    targets : (B, C) bool Tensor.
    blocks, coupling, fusion : see `maps_from`.
    prefix : number of tokens before the patches, where it cannot be found; see `record`.

    Returns
    -------
    maps : (M, h, w) Tensor
        In the order of `targets.nonzero()`, not normalised.
    logits : (B, C) Tensor, detached.

    Raises
    ------
    InputError
        A model without a [class] token, without recorded attention, or that refuses the images;
        images, targets or names that do not fit; logits that are not finite.

    Notes
    -----
    Parameters, their gradients and the training mode stay as they are; works under `no_grad`.
    """
    check_images(model, images)
    with for_maps(model, images) as anchored:
        with record(model, prefix=prefix) as tape:
            logits = logits_of(model, anchored)
        tape.select(blocks)
        maps = maps_from(
            tape,
            logits,
            targets,
            blocks=blocks,
            coupling=coupling,
            fusion=fusion,
            grid=grid_of(tape.patches(), images.shape[-2:]),
            retain_graph=False,
        )
    return maps, logits.detach()


def grid_of(patches: int, image_size: Sequence[int]) -> tuple[int, int]:
    """Return the grid (h, w) of N patches whose aspect is nearest to that of (H, W) pixels."""
    height, width = image_size
    divisors = (h for h in range(1, patches + 1) if patches % h == 0)
    rows = min(divisors, key=lambda h: abs(math.log(h * h * width / (patches * height))))
    return rows, patches // rows


def _square(patches: int) -> tuple[int, int]:
    side = math.isqrt(patches)
    if side * side != patches:
        raise InputError(f"{patches} patches make no square: give grid=(h, w)")
    return side, side


def _check(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise InputError(f"{what} {name!r}: there is {' and '.join(known)}")
