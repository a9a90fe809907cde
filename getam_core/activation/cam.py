"""CAM on patch tokens: Zhou et al. 2016 applied to a ViT (baselines of GETAM's Table 1).

Shapes: B images, C classes, M (image, class) pairs, N = h * w patches, E token width.
"""

import torch
from torch import Tensor, nn

from getam_core.activation.models import (
    check_images,
    grid_of,
    logits_of,
    part_of,
    prefix_tokens,
    transformer_of,
    watching,
)
from getam_core.activation.passes import check_targets, pairs_of
from getam_core.activation.tape import for_maps
from getam_core.errors import InputError


def cam_ignore(
    model: nn.Module, images: Tensor, targets: Tensor, *, check: bool = True
) -> tuple[Tensor, Tensor]:
    """Apply the class head's weights to the last patch tokens: `relu(w_c . x_n)`.

    The tokens are those after the final norm; the bias is left out, as in CAM (Zhou et al. 2016).
    A distilled network's two heads are averaged, as its logits are.

    Parameters
    ----------
    model : nn.Module
        timm `VisionTransformer` or `SegmentationTransformer`, with a linear head.
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
    return _cam(model, images, targets, add_class_token=False, check=check)


def cam_add(
    model: nn.Module, images: Tensor, targets: Tensor, *, check: bool = True
) -> tuple[Tensor, Tensor]:
    """Do as `cam_ignore`, with [class] added to every patch token: `relu(w_c . (x_n + x_0))`.

    Parameters and results are those of `cam_ignore`.
    """
    return _cam(model, images, targets, add_class_token=True, check=check)


@torch.no_grad()
def _cam(
    model: nn.Module, images: Tensor, targets: Tensor, *, add_class_token: bool, check: bool
) -> tuple[Tensor, Tensor]:
    check_images(model, images)
    (norm, head_norm), prefix = part_of(model, "norm", "fc_norm"), prefix_tokens(model)
    weight_CE = _head_weight(transformer_of(model))
    with for_maps(model, images) as anchored, torch.no_grad(), watching(norm) as seen:
        logits = logits_of(model, anchored, check=check)
    image_M, class_M = pairs_of(check_targets(logits, targets), logits.device)
    tokens_BSE = head_norm(seen[0])
    patches_BNE = tokens_BSE[:, prefix:]
    if add_class_token:
        patches_BNE = patches_BNE + tokens_BSE[:, :1]
    maps_BCN = torch.einsum("ce,bne->bcn", weight_CE.float(), patches_BNE.float()).relu()
    maps_MN = maps_BCN[image_M, class_M]
    return maps_MN.unflatten(1, grid_of(maps_MN.shape[1], images.shape[-2:])), logits


def _head_weight(vit: nn.Module) -> Tensor:
    """Return the (C, E) weights of the class head, the mean of two in a distilled network."""
    heads = [getattr(vit, name) for name in ("head", "head_dist") if hasattr(vit, name)]
    if not heads or not all(isinstance(head, nn.Linear) for head in heads):
        raise InputError(
            f"{type(vit).__name__} has no linear class head, whose weights CAM needs; use a"
            " network that computes its logits from its tokens (model.head: class)"
        )
    return torch.stack([head.weight for head in heads]).mean(0)
