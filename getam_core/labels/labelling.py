"""One image's label map from its activation maps: refinement, then completion or the CRF's labels.

Training labels a batch with this function, the export labels a data set with it.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from getam_core.labels.completion import complete_labels
from getam_core.labels.crf_labels import crf_labels
from getam_core.refine import crf_maps, pamr, par


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
    **labelling: Any,
) -> Tensor:
    """Refine the maps to the image and make a label map of them (Sun et al. 2021, 4.2).

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
    refinement, iterations, scale, gamma
        As in `refine_maps`.
    gamma, **labelling
        As in `label_refined`.

    Returns
    -------
    (H, W) uint8 Tensor
        0 background, 1..C classes, 255 unknown.
    """
    refined = refine_maps(
        image, maps, refinement=refinement, iterations=iterations, scale=scale, gamma=gamma
    )
    return label_refined(image, refined, class_ids, saliency, gamma=gamma, **labelling)


def refine_maps(
    image: Tensor,
    maps: Tensor,
    *,
    refinement: str = "pamr",
    iterations: int = 10,
    scale: float = 1.0,
    gamma: float = 32.0,
) -> Tensor:
    """Bring maps (K, h, w) to the image's size (K, H, W), along its edges if asked to.

    Parameters
    ----------
    image : (3, H, W) float Tensor
        RGB, 0..1.
    refinement : {"pamr", "par", "crf", "none"}
        "crf" takes the classes' probabilities after a dense CRF for maps; it runs on the CPU.
    iterations : int
        Of any of the three.
    scale : float
        They run at this share of the image's sides, 0..1: a quarter of the time at 0.5.
    gamma : float
        Strength of the background that takes part in the CRF; without effect on the others.
    """
    size = image.shape[1:]
    if not len(maps):
        return image.new_zeros((0, *size))
    small, batch = image[None], maps[None].float()  # (1, 3, H, W), (1, K, h, w)
    if refinement != "none" and scale < 1:
        small = F.interpolate(small, scale_factor=scale, mode="area")
    if refinement in ("pamr", "par"):
        batch = {"pamr": pamr, "par": par}[refinement](small, batch, iterations=iterations)
    elif refinement == "crf":
        batch = _resized(batch, small.shape[2:])
        smoothed = crf_maps(
            _uint8(small[0]), batch[0].cpu().numpy(), gamma=gamma, iterations=iterations
        )
        batch = torch.from_numpy(smoothed[None, 1:]).to(batch.device)
    return _resized(batch, size)[0]


def label_refined(
    image: Tensor,
    maps: Tensor,
    class_ids: Tensor,
    saliency: Tensor | None,
    *,
    method: str = "completion",
    gamma: float = 32.0,
    alpha: float = 0.9,
    conflicts: bool = True,
    opening: int = 0,
    crf_gammas: tuple[float, float] = (4.0, 32.0),
    crf_confidence: float = 0.0,
) -> Tensor:
    """Make the label map (H, W) of maps at the image's size, (K, H, W).

    Parameters
    ----------
    method : {"completion", "crf"}
        Eq. 4 and 5, or the agreement of two CRFs (the paper's Table 2), which uses no saliency.
    gamma, alpha, conflicts, opening
        As in `complete_labels`.
    crf_gammas, crf_confidence
        As in `crf_labels`, which runs on the CPU.
    """
    if method == "crf":
        labels = crf_labels(
            _uint8(image), maps.cpu().numpy(), class_ids.cpu().numpy(),
            gammas=crf_gammas, confidence=crf_confidence,
        )  # fmt: skip
        return torch.from_numpy(labels).to(maps.device)
    return complete_labels(
        maps, class_ids, saliency, gamma=gamma, alpha=alpha, conflicts=conflicts, opening=opening
    )


def _resized(batch: Tensor, size: torch.Size) -> Tensor:
    if batch.shape[2:] == size:
        return batch
    return F.interpolate(batch, size=tuple(size), mode="bilinear", align_corners=False)


def _uint8(image: Tensor) -> np.ndarray:
    """(3, H, W) 0..1 -> (H, W, 3) 0..255."""
    return (255 * image).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
