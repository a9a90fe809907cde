"""GETAM block by block: what Eq. 3 sums, for an export that keeps it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from getam_core.activation.getam import couple, grid_of
from getam_core.activation.models import check_images, logits_of
from getam_core.activation.passes import check_targets, class_gradients
from getam_core.activation.tape import for_maps, record


def getam_blocks(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    blocks: int | Sequence[int] | None = None,
    coupling: str = "per_head",
) -> tuple[Tensor, Tensor]:
    """Make the map of every chosen block, with the same few backward passes as `getam`.

    Parameters
    ----------
    model, images, targets, blocks, coupling
        As in `getam`.

    Returns
    -------
    maps : (M, L, h, w) Tensor
        Of the L chosen blocks, each as Eq. 2 gives it; their sum over L is GETAM (Eq. 3).
    logits : (B, C) Tensor, detached.
    """
    check_images(model, images)
    with for_maps(model, images) as anchored:
        with record(model) as tape:
            logits = logits_of(model, anchored)
        chosen, patches = tape.select(blocks), tape.patches()
        targets = check_targets(logits, targets)
        dtype = torch.promote_types(logits.dtype, torch.float32)
        maps = logits.new_zeros(int(targets.sum()), len(chosen), patches, dtype=dtype).detach()
        outputs = [block.output for block in chosen]
        passes = class_gradients(logits, targets, outputs, retain_graph=False)
        with torch.autocast(logits.device.type, enabled=False):
            for pairs, owners, gradients in passes:
                for number, (block, gradient) in enumerate(zip(chosen, gradients, strict=True)):
                    attention = block.class_row(owners)[:, :, tape.prefix :]
                    slope = block.class_row_gradient(gradient, owners)[:, :, tape.prefix :]
                    maps[pairs, number] = couple(attention, slope, coupling)
    return maps.unflatten(2, grid_of(patches, images.shape[-2:])), logits.detach()
