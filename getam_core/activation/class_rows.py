"""Maps from the [class] row of every block's attention and its gradient.

Shapes: B images, C classes, M (image, class) pairs, L blocks, H heads, N patches, T prefix tokens.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from getam_core.activation.models import check_images, grid_of, logits_of
from getam_core.activation.passes import check_targets, class_gradients
from getam_core.activation.tape import Block, Tape, for_maps, record

# (M, H, ...) attention and (M, H, ...) gradient of the logit with respect to it -> (M, ...)
Coupling = Callable[[Tensor, Tensor], Tensor]


def class_row_maps(
    tape: Tape,
    logits: Tensor,
    targets: Tensor,
    couple: Coupling,
    *,
    blocks: int | Sequence[int] | None = None,
    retain_graph: bool = True,
) -> Tensor:
    """Couple the [class] row of every chosen block with its gradient, over the patches.

    Prefix tokens take part in the softmax but not in the maps. Returns (M, L, N), detached, float32
    or better, in the order of `targets.nonzero()` and of the blocks.
    """
    chosen = tape.select(blocks)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    maps_MLN = logits.new_zeros(int(targets.sum()), len(chosen), tape.patches(), dtype=dtype)
    for pairs, images, gradients in block_gradients(chosen, logits, targets, retain_graph):
        for number, (block, gradient) in enumerate(zip(chosen, gradients, strict=True)):
            attention_MHN = block.class_row(images)[:, :, tape.prefix :]
            slope_MHN = block.class_row_gradient(gradient, images)[:, :, tape.prefix :]
            maps_MLN[pairs, number] = couple(attention_MHN, slope_MHN)
    return maps_MLN.detach()


def block_gradients(
    chosen: Sequence[Block], logits: Tensor, targets: Tensor, retain_graph: bool
) -> Iterator[tuple[Tensor, Tensor, tuple[Tensor, ...]]]:
    """Run `class_gradients` for the blocks' outputs; the caller works on them without autocast."""
    targets = check_targets(logits, targets)
    outputs = [block.output for block in chosen]
    passes = class_gradients(logits, targets, outputs, retain_graph=retain_graph)
    with torch.autocast(logits.device.type, enabled=False):  # gradients are squared
        yield from passes


def on_forward(
    model: nn.Module,
    images: Tensor,
    make: Callable[[Tape, Tensor], Tensor],
    *,
    prefix: int | None = None,
    check: bool = True,
) -> tuple[Tensor, Tensor]:
    """Run the model once and make maps (M, ..., N) from its tape and logits.

    Returns
    -------
    maps : (M, ..., h, w) Tensor. logits : (B, C) Tensor, detached.

    Raises
    ------
    InputError
        See `check_images`, `record`, `logits_of`; or what `make` raises.
    """
    check_images(model, images)
    with for_maps(model, images) as anchored:
        with record(model, prefix=prefix) as tape:
            logits = logits_of(model, anchored, check=check)
        grid = grid_of(tape.patches(), images.shape[-2:])
        maps = make(tape, logits)
    return maps.unflatten(-1, grid), logits.detach()
