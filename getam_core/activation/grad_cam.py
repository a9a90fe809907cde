"""Grad-CAM on the tokens of the last block (Selvaraju et al. 2017; a baseline of GETAM's Table 1).

Shapes: B images, M (image, class) pairs, N = h * w patches, E token width.
"""

import torch
from torch import Tensor, nn

from getam_core.activation.models import (
    check_images,
    grid_of,
    logits_of,
    part_of,
    prefix_tokens,
    watching,
)
from getam_core.activation.passes import check_targets, class_gradients
from getam_core.activation.tape import for_maps


def grad_cam(
    model: nn.Module, images: Tensor, targets: Tensor, *, check: bool = True
) -> tuple[Tensor, Tensor]:
    """Weigh the last block's input tokens (after its first norm) by their mean gradient.

    `relu(sum_e w_e x_e)`, w the gradient of the class logit averaged over the patches. Where the
    logits come from [class], only this token reads patches after that norm, so the gradient is
    what it gathers from them.

    Parameters
    ----------
    model : nn.Module
        timm `VisionTransformer` or `SegmentationTransformer`.
    images : (B, 3, H, W) Tensor
        As the model expects them.
    targets : (B, C) bool Tensor
    check : bool
        See `getam`.

    Returns
    -------
    maps : (M, h, w) Tensor, in the order of `targets.nonzero()`, not normalised.
    logits : (B, C) Tensor, detached.
    """
    check_images(model, images)
    (blocks,), prefix = part_of(model, "blocks"), prefix_tokens(model)
    with for_maps(model, images) as anchored, watching(blocks[-1].norm1) as seen:
        logits = logits_of(model, anchored, check=check)
        targets = check_targets(logits, targets)
        (tokens,) = seen
        patches_BNE = tokens.detach()[:, prefix:].float()
        maps_MN = patches_BNE.new_zeros(int(targets.sum()), patches_BNE.shape[1])
        passes = class_gradients(logits, targets, [tokens], retain_graph=False)
        for pairs, of, (gradient,) in passes:
            weight_ME = gradient[of, prefix:].float().mean(1)
            maps_MN[pairs] = torch.einsum("me,mne->mn", weight_ME, patches_BNE[of]).relu()
    return maps_MN.unflatten(1, grid_of(maps_MN.shape[1], images.shape[-2:])), logits.detach()
