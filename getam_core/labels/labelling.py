"""An image's label map from its activation maps: refinement, then completion, CRFs or thresholds.

The export labels one image at a time, training a whole batch.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from getam_core.classes import BACKGROUND
from getam_core.data.tensors import to_uint8
from getam_core.errors import check_name
from getam_core.labels.completion import check_values, completed
from getam_core.labels.crf_labels import crf_labels
from getam_core.labels.reliable import Thresholds, agreed_labels, by_image, scores_over
from getam_core.refine import crf_maps, pamr, par
from getam_core.resizing import resize_tensor

CACHED_PIXELS = 2**15  # refined at once on a CPU
REFINEMENTS = ("pamr", "par", "crf", "none")
METHODS = ("completion", "crf")
THRESHOLDS = (0.55, 0.35)  # high, low


def label_image(
    image: Tensor, maps: Tensor, class_ids: Tensor, saliency: Tensor | None, **arguments: Any
) -> Tensor:
    """Refine the maps to the image and make a label map from them (Sun et al. 2021, 4.2).

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
    **arguments
        As in `label_images`.

    Returns
    -------
    (H, W) uint8 Tensor
        0 background, 1..C classes, 255 unknown.

    Raises
    ------
    InputError
        Maps that are not finite, classes outside 1 to 254 or given twice; see `refine_maps` and
        `label_refined`.
    """
    check_values(maps, class_ids)
    owner = torch.zeros(len(maps), dtype=torch.long)
    salient = None if saliency is None else saliency[None]
    return label_images(image[None], maps, owner, class_ids, salient, **arguments)[0]


def label_images(
    images: Tensor,
    maps: Tensor,
    owner: Tensor,
    class_ids: Tensor,
    saliency: Tensor | None,
    *,
    refinement: str = "pamr",
    iterations: int = 10,
    scale: float = 1.0,
    gamma: float = 32.0,
    method: str = "completion",
    thresholds: Thresholds = THRESHOLDS,
    **labelling: Any,
) -> Tensor:
    """Label each image of a batch like `label_image`, refining several together where faster.

    Parameters
    ----------
    images : (B, 3, H, W) float Tensor
    maps : (M, h, w) Tensor
        Of all (image, class) pairs, image by image.
    owner, class_ids : (M,) int Tensor
        The image of each pair, ascending from 0, and its class, 1..C. They belong in host memory:
        the number of classes per image decides what is done next.
    saliency : (B, H, W) bool Tensor, optional
    refinement, iterations, scale, gamma
        As in `refine_maps`.
    method : {"completion", "crf", "thresholds"}
        "thresholds" is AFA's, see `threshold_labels`; each map is divided by its maximum for it.
    gamma, method, **labelling
        As in `label_refined`.

    Returns
    -------
    (B, H, W) uint8 Tensor

    Notes
    -----
    Values are not checked, and only the CRF waits for the images' device.
    """
    refining: dict[str, Any] = {"refinement": refinement, "iterations": iterations}
    refining |= {"scale": scale, "gamma": gamma}
    counts = owner.bincount(minlength=len(images)).tolist()
    if method == "thresholds":
        peaks = maps.amax((1, 2), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
        ids = by_image(class_ids, counts)
        high, low = (scores_over(by_image(maps / peaks, counts), counts, t) for t in thresholds)
        return threshold_labels(images, high, low, ids, **refining)
    own = maps.split(counts)
    ids = class_ids.to(images.device, non_blocking=True).split(counts)
    labels = images.new_empty((len(images), *images.shape[2:]), dtype=torch.uint8)
    for members in _refined_together(counts, scale**2 * images[0, 0].numel(), images.device):
        together = (torch.stack([each[b] for b in members]) for each in (images, own))
        for b, planes in zip(members, refine_maps(*together, **refining), strict=True):
            salient = None if saliency is None else saliency[b]
            labels[b] = label_refined(
                images[b], planes, ids[b], salient, method=method, gamma=gamma, **labelling
            )
    return labels


def threshold_labels(
    images: Tensor, high: Tensor, low: Tensor, class_ids: Tensor, **refining: Any
) -> Tensor:
    """Refine scores over two backgrounds, (B, 1 + K, h, w) each, and label by `agreed_labels`.

    `class_ids` (B, K); `refining` as in `refine_maps`. Returns (B, H, W) uint8.
    """
    refined = refine_maps(images, torch.cat([high, low], 1), **refining)
    high, low = refined.chunk(2, 1)
    return agreed_labels(high, low, class_ids.to(images.device, non_blocking=True))


def _refined_together(
    counts: Sequence[int], pixels: float, device: torch.device
) -> Iterator[list[int]]:
    """Split a batch into groups of images with equally many classes.

    On a CPU a group fits its cache: larger groups take up to twice as long per image.
    """
    size = max(1, int(CACHED_PIXELS / pixels)) if device.type == "cpu" else len(counts)
    for count in sorted(set(counts)):
        members = [b for b, other in enumerate(counts) if other == count]
        yield from (members[start : start + size] for start in range(0, len(members), size))


def refine_maps(
    images: Tensor,
    maps: Tensor,
    *,
    refinement: str = "pamr",
    iterations: int = 10,
    scale: float = 1.0,
    gamma: float = 32.0,
) -> Tensor:
    """Bring maps (B, K, h, w) to the images' size (B, K, H, W), along their edges if asked to.

    Parameters
    ----------
    images : (B, 3, H, W) float Tensor
        RGB, 0..1.
    refinement : {"pamr", "par", "crf", "none"}
        "crf" returns the classes' probabilities after a dense CRF as maps; it runs on the CPU.
    iterations : int
        Of any of the three.
    scale : float
        Share of the images' sides at which they run, 0..1: a quarter of the time at 0.5.
    gamma : float
        Exponent of the background score in the CRF; the others ignore it.

    Raises
    ------
    InputError
        An unknown refinement; images or iterations that do not fit, see `pamr`.
    """
    check_name("refinement", refinement, REFINEMENTS)
    size = images.shape[2:]
    if not maps.shape[1]:
        return images.new_zeros((len(images), 0, *size))
    small, maps = images, maps.float()
    if refinement != "none" and scale < 1:
        small = F.interpolate(images, [max(1, int(side * scale)) for side in size], mode="area")
    if refinement in ("pamr", "par"):
        maps = {"pamr": pamr, "par": par}[refinement](small, maps, iterations=iterations)
    elif refinement == "crf":
        rough = resize_tensor(maps, small.shape[2:]).cpu().numpy()
        smooth = [
            crf_maps(to_uint8(image), own, gamma=gamma, iterations=iterations)[1:]
            for image, own in zip(small, rough, strict=True)
        ]
        maps = torch.from_numpy(np.stack(smooth)).to(maps.device)
    return resize_tensor(maps, size)


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
    agreed_saliency: Mapping[str, float] | None = None,
    crf_gammas: tuple[float, float] = (32.0, 1000.0),
) -> Tensor:
    """Make the label map (H, W) from finite maps at the image's size, (K, H, W).

    Parameters
    ----------
    method : {"completion", "crf"}
        Eq. 4 and 5, or the agreement of two CRFs (the paper's Table 2), which uses no saliency.
    gamma, alpha, conflicts, opening
        As in `complete_labels`.
    agreed_saliency : mapping with `gamma`, `inside` and `outside`, optional
        `saliency` is then 0..1, not bool. Labels are first made without it, by this gamma: where
        they have a class, a pixel is salient above `inside`, elsewhere above `outside`.
    crf_gammas
        As `gammas` of `crf_labels`, which runs on the CPU.

    Raises
    ------
    InputError
        An unknown method; shapes or numbers that do not fit, see `complete_labels` and
        `crf_labels`. Values of maps and classes are not checked here.
    """
    check_name("method", method, METHODS)
    if method == "crf":
        labels = crf_labels(
            to_uint8(image), maps.cpu().numpy(), class_ids.cpu().numpy(), gammas=crf_gammas
        )
        return torch.from_numpy(labels).to(maps.device)
    own: dict[str, Any] = {"alpha": alpha, "conflicts": conflicts, "opening": opening}
    if saliency is not None and agreed_saliency is not None:
        plain = completed(maps, class_ids, None, gamma=agreed_saliency["gamma"], **own)
        inside, outside = (saliency > agreed_saliency[key] for key in ("inside", "outside"))
        saliency = torch.where(plain == BACKGROUND, outside, inside)
    return completed(maps, class_ids, saliency, gamma=gamma, **own)
