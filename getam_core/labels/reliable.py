"""Labels that two background thresholds agree on (AFA; Ru et al. 2022, Section 3.4).

A pixel has a class where the class beats a strong background, is background where a weak background
wins, and is unknown otherwise. Both backgrounds are refined together with the maps.

Shapes: B images, K classes of the image with the most (others are padded with zeros), H, W
pixels, h, w cells, M (image, class) pairs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from getam_core.classes import BACKGROUND, IGNORE

Thresholds = tuple[float, float]  # high, low


def by_image(values: Tensor, counts: Sequence[int]) -> Tensor:
    """Turn (M, ...), image by image, into (B, K, ...), padded with zeros."""
    most = max(counts, default=0)
    padded = values.new_zeros((len(counts), most, *values.shape[1:]))
    for own, part in zip(padded, values.split(list(counts)), strict=True):
        own[: len(part)] = part
    return padded


def scores_over(maps: Tensor, counts: Sequence[int], threshold: float) -> Tensor:
    """Return the softmax of a background at `threshold` and an image's own maps.

    Parameters
    ----------
    maps : (B, K, h, w) Tensor
        0..1, from `by_image`.
    counts : sequence of int
        Classes of each image.

    Returns
    -------
    (B, 1 + K, h, w) Tensor
        The background first; sum 1, zero for classes that an image lacks.
    """
    K = maps.shape[1]
    if not K:
        return maps.new_ones(len(maps), 1, *maps.shape[2:])
    absent = torch.tensor([[k >= count for k in range(K)] for count in counts], dtype=torch.bool)
    absent = absent.view(len(counts), K, 1, 1).to(maps.device, non_blocking=True)
    own = maps.masked_fill(absent, -torch.inf)
    background = torch.full_like(maps[:, :1], threshold)
    return torch.cat([background, own], 1).softmax(1)


def agreed_labels(high: Tensor, low: Tensor, class_ids: Tensor) -> Tensor:
    """Label each pixel by its scores over the high and over the low background.

    Parameters
    ----------
    high, low : (B, 1 + K, H, W) Tensor
        The background first.
    class_ids : (B, K) integer Tensor
        1..C.

    Returns
    -------
    (B, H, W) uint8 Tensor
        The class that wins over the high background, 0 where none does over the low one, else 255.
    """
    best, weak = high.max(1).indices, low.max(1).indices  # argmax takes eight times as long
    ids = torch.nn.functional.pad(class_ids, (1, 0), value=BACKGROUND)
    labels = ids.gather(1, best.flatten(1)).view_as(best)
    return labels.masked_fill((best == 0) & (weak != 0), IGNORE).to(torch.uint8)
