"""The loss of the saliency network."""

import torch.nn.functional as F
from torch import Tensor

from getam_core.training.losses import Count, alone


def structure_loss(logits: Tensor, target: Tensor, valid: Tensor, count: Count = alone) -> Tensor:
    """Sum of weighted BCE and weighted IoU loss (F3Net; Wei et al. 2020, Eq. 3 to 8).

    A pixel has weight 1 + 5 |mean of the target around it - target|: most at the object's edge, so
    that large flat areas do not dominate it. "Around" is a square whose side is a twelfth of H,
    rounded to an odd number: 31 at the 352 px of the paper.

    Parameters
    ----------
    logits : (B, H, W) Tensor
    target : (B, H, W) float Tensor
        0 or 1.
    valid : (B, H, W) bool Tensor
        Pixels that count; the padding of small images does not.
    count : Count
        Of the images; see `training.losses.Count`.

    Returns
    -------
    scalar Tensor
        Mean over the images that have a valid pixel.
    """
    around = _mean_around(target[:, None], 2 * (logits.shape[-2] // 24) + 3)[:, 0]
    weight = (1 + 5 * (around - target).abs()) * valid
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    both = (probability * target * weight).sum((1, 2))
    either = ((probability + target) * weight).sum((1, 2)) - both
    # A crop without a valid pixel has weight 0 everywhere and adds nothing.
    bce = (weight * entropy).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
    return (bce + 1 - (both + 1) / (either + 1)).sum() / count(valid.flatten(1).any(1).sum())


def _mean_around(planes: Tensor, side: int) -> Tensor:
    """Mean over the square around each pixel, where it lies in the image; rows, then columns."""
    half = side // 2
    rows = F.avg_pool2d(planes, (side, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, side), 1, (0, half), count_include_pad=False)
