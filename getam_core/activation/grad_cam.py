"""Grad-CAM on the tokens of the last block (Selvaraju et al. 2017; a baseline of GETAM's Table 1).

Shapes: B images, M (image, class) pairs, N = h * w patches, E token width.
"""

import torch
from torch import Tensor, nn

from getam_core.activation.getam import grid_of
from getam_core.activation.models import transformer_of
from getam_core.activation.passes import check_targets, class_gradients
from getam_core.activation.tape import for_maps


def grad_cam(model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Weigh the last block's input tokens (after its first norm) by their mean gradient.

    `relu(sum_e w_e x_e)`, w the gradient of the class logit averaged over the patches. Only the
    [class] token reads patches after that norm, so the gradient is what it gathers from them.

    Parameters
    ----------
    model : timm `VisionTransformer` or `SegmentationTransformer`.
    images : (B, 3, H, W) Tensor, as the model wants them.
    targets : (B, C) bool Tensor.

    Returns
    -------
    maps : (M, h, w) Tensor, in the order of `targets.nonzero()`, not normalised.
    logits : (B, C) Tensor, detached.
    """
    vit = transformer_of(model)
    seen: list[Tensor] = []
    hook = vit.blocks[-1].norm1.register_forward_hook(lambda _m, _i, out: seen.append(out))
    try:
        with for_maps(model, images) as anchored:
            logits = model(anchored)
            tokens = seen[0]
            targets = check_targets(logits, targets)
            patches_BNE = tokens.detach()[:, vit.num_prefix_tokens :]
            maps_MN = patches_BNE.new_zeros(int(targets.sum()), patches_BNE.shape[1])
            for pairs, of, (gradient,) in class_gradients(
                logits, targets, [tokens], retain_graph=False
            ):
                weight_ME = gradient[of, vit.num_prefix_tokens :].mean(1)
                maps_MN[pairs] = torch.einsum("me,mne->mn", weight_ME, patches_BNE[of]).relu()
    finally:
        hook.remove()
    return maps_MN.unflatten(1, grid_of(maps_MN.shape[1], images.shape[-2:])), logits.detach()
