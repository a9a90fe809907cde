"""CAM on patch tokens, the [class] token ignored (a baseline of GETAM's Table 1).

Shapes: B images, C classes, M (image, class) pairs, N = h * w patches, E token width.
"""

import torch
from torch import Tensor, nn

from getam_core.activation.getam import grid_of
from getam_core.activation.models import transformer_of
from getam_core.activation.passes import check_targets
from getam_core.activation.tape import for_maps


@torch.no_grad()
def cam_ignore(model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Apply the class head's weights to the last patch tokens: `relu(w_c . x_n)`.

    The tokens are those after the final norm; the bias is left out, as in CAM (Zhou et al. 2016).
    A distilled network's two heads are averaged, as its logits are.

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
    hook = vit.norm.register_forward_hook(lambda _m, _i, out: seen.append(out))
    try:
        with for_maps(model, images) as anchored, torch.no_grad():
            logits = model(anchored)
    finally:
        hook.remove()
    targets = check_targets(logits, targets)
    patches_BNE = vit.fc_norm(seen[0][:, vit.num_prefix_tokens :])
    maps_BCN = torch.einsum("ce,bne->bcn", _head_weight(vit), patches_BNE).relu()
    maps_MN = maps_BCN[targets]
    return maps_MN.unflatten(1, grid_of(maps_MN.shape[1], images.shape[-2:])), logits


def _head_weight(vit: nn.Module) -> Tensor:
    """Return the (C, E) weights of the class head, the mean of two in a distilled network."""
    heads = [vit.head, vit.head_dist] if hasattr(vit, "head_dist") else [vit.head]
    return torch.stack([head.weight for head in heads]).mean(0)
