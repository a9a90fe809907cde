"""TS-CAM: attention of all blocks times a class map of the patches (Gao et al. 2021).

A baseline of GETAM's Table 1. Shapes: B images, C classes, M (image, class) pairs, H heads,
N = h * w patches, T prefix tokens.
"""

import torch
from torch import Tensor, nn

from getam_core.activation.class_rows import on_forward
from getam_core.activation.models import watching
from getam_core.activation.passes import check_targets, pairs_of
from getam_core.activation.tape import Tape
from getam_core.errors import InputError


def ts_cam(
    model: nn.Module, images: Tensor, targets: Tensor, *, check: bool = True
) -> tuple[Tensor, Tensor]:
    """Multiply the semantic map of a class by the [class] token's attention.

    The attention is the [class] row over the patches, averaged over heads and summed over blocks;
    the semantic map is a convolution of the patch tokens, and its average is the logit.

    Parameters
    ----------
    model : nn.Module
        `SegmentationTransformer` with the head "ts_cam".
    images : (B, 3, H, W) Tensor
        As the model expects them.
    targets : (B, C) bool Tensor
    check : bool
        See `getam`.

    Returns
    -------
    maps : (M, h, w) Tensor, in the order of `targets.nonzero()`, not negative, not normalised.
    logits : (B, C) Tensor, detached.
    """
    head = getattr(model, "class_maps", None)
    if head is None:
        raise InputError(
            f"{type(model).__name__} has no TS-CAM head: train one with model.head: ts_cam"
        )

    @torch.no_grad()
    def make(tape: Tape, logits: Tensor) -> Tensor:
        image_M, class_M = pairs_of(check_targets(logits, targets), logits.device)
        (maps_BChw,) = seen
        semantic_MN = maps_BChw.float().flatten(2)[image_M, class_M].relu()
        rows_MHN = (block.class_row(image_M)[:, :, tape.prefix :] for block in tape.blocks)
        return semantic_MN * sum(row.mean(1) for row in rows_MHN)

    with watching(head) as seen:
        return on_forward(model, images, make, check=check)
