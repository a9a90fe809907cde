"""One image's label map from its activation maps: refinement, then completion.

Training labels a batch with this function, the export labels a data set with it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from getam_core.labels.completion import complete_labels
from getam_core.refine import pamr


def label_image(
    image: Tensor,
    maps: Tensor,
    class_ids: Tensor,
    saliency: Tensor | None,
    *,
    refinement: str = "pamr",
    iterations: int = 10,
    scale: float = 1.0,
    gamma: float = 32.0,
    alpha: float = 0.9,
    conflicts: bool = True,
    opening: int = 0,
) -> Tensor:
    """Refine the maps to the image and complete them to a label map (Sun et al. 2021, 4.2).

    Parameters
    ----------
    image : (3, H, W) float Tensor
        RGB, 0..1.
    maps : (K, h, w) Tensor
        Activation maps of the present classes, non-negative, of any scale.
    class_ids : (K,) int Tensor
        Their classes, in 1..C.
    saliency : (H, W) bool Tensor, optional
        Salient pixels; None for plain argmax without mining.
    refinement : {"pamr", "none"}
    iterations : int
        Iterations of PAMR.
    scale : float
        PAMR runs at this share of the image's sides, 0..1: a quarter of the time at 0.5.
    gamma, alpha, conflicts, opening
        As in `complete_labels`.

    Returns
    -------
    (H, W) uint8 Tensor
        0 background, 1..C classes, 255 unknown.
    """
    if len(maps):
        maps = refine_maps(image, maps, refinement=refinement, iterations=iterations, scale=scale)
    else:
        maps = image.new_zeros((0, *image.shape[1:]))
    return complete_labels(
        maps, class_ids, saliency, gamma=gamma, alpha=alpha, conflicts=conflicts, opening=opening
    )


def refine_maps(
    image: Tensor, maps: Tensor, *, refinement: str, iterations: int, scale: float
) -> Tensor:
    """Bring maps (K, h, w) to the image's size (K, H, W), along its edges if asked to."""
    batch = maps[None].float()  # (1, K, h, w)
    if refinement == "pamr":
        small = image[None]
        if scale < 1:
            small = F.interpolate(small, scale_factor=scale, mode="area")
        batch = pamr(small, batch, iterations=iterations)
    size = tuple(image.shape[1:])
    if batch.shape[2:] != torch.Size(size):
        batch = F.interpolate(batch, size=size, mode="bilinear", align_corners=False)
    return batch[0]
