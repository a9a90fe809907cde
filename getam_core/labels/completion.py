"""Activation-aware label completion: from refined maps and saliency to a label map (paper 4.2).

Shapes: K present classes, H, W pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.errors import InputError


@torch.no_grad()
def complete_labels(
    maps: Tensor | np.ndarray,
    class_ids: Tensor | np.ndarray | Sequence[int],
    saliency: Tensor | np.ndarray | None,
    *,
    gamma: float = 32.0,
    alpha: float = 0.9,
    conflicts: bool = True,
    opening: int = 0,
) -> Tensor | np.ndarray:
    """Complete a label map from maps and saliency (Sun et al. 2021, section 4.2, Eq. 4 and 5).

    Parameters
    ----------
    maps : (K, H, W) float tensor or ndarray
        Refined maps of the classes present, not negative; each is divided by its maximum here.
        K may be 0, and a map may be all zeros.
    class_ids : (K,) ints
        Classes of the maps, 1..C, in any order.
    saliency : (H, W) bool tensor or ndarray, or None
        Where something salient is. None: no saliency is known, and the labels are the argmax of
        background and classes, without mining and without unknown pixels.
    gamma : float
        Exponent of the background score `(1 - max_c M_c)^gamma`; larger means less background.
    alpha : float
        Outside saliency, class c claims pixels whose `M_c` exceeds the alpha-quantile of its
        positive values.
    conflicts : bool
        True: a pixel that several classes claim is unknown (the paper's text). False: the lowest
        class wins (authors' code: a claimed pixel is not background when the next class looks).
    opening : int
        Side in pixels of the square of a morphological opening of all that is not background
        (authors' code: 10 at 256 px); 0 or 1 for none.

    Returns
    -------
    (H, W) uint8 tensor or ndarray, as `maps` is
        0 background, 1..C, or 255 unknown.

    Raises
    ------
    InputError
        When shapes do not agree, `saliency` is not boolean, a class is outside 1 to 254 or there
        twice, a map is not finite, `alpha` outside 0..1 or `gamma` below 1.
    """
    if isinstance(maps, np.ndarray):
        labels = complete_labels(
            torch.from_numpy(np.ascontiguousarray(maps)), class_ids, saliency,
            gamma=gamma, alpha=alpha, conflicts=conflicts, opening=opening,
        )  # fmt: skip
        return labels.numpy()
    if isinstance(saliency, np.ndarray):
        saliency = torch.from_numpy(np.ascontiguousarray(saliency)).to(maps.device)
    _check(maps, class_ids, saliency)
    if not 0 <= alpha <= 1 or gamma < 1:
        raise InputError(
            f"complete_labels: alpha {alpha}, gamma {gamma}: expected 0 <= alpha <= 1, gamma >= 1"
        )
    ids = torch.as_tensor(class_ids, dtype=torch.uint8, device=maps.device)
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    maps = maps / maps.flatten(1).amax(1).clamp(min=torch.finfo(maps.dtype).tiny)[:, None, None]
    labels = _strongest(maps, ids, gamma)
    if saliency is not None:
        unsure = torch.where(labels == BACKGROUND, IGNORE, labels)
        labels = torch.where(saliency, unsure, _mined(maps, ids, alpha, conflicts))
    return _opened(labels, opening) if opening > 1 else labels


def _strongest(maps: Tensor, ids: Tensor, gamma: float) -> Tensor:
    """Argmax over [background, classes], (H, W); background wins a tie, then the first class."""
    # Map by map: on a CPU, argmax over the slowest axis takes ten times as long.
    best = maps.amax(0) if len(maps) else maps.new_zeros(maps.shape[1:])
    labels = ids.new_full(best.shape, BACKGROUND)
    for m, class_id in zip(maps.flip(0), ids.flip(0), strict=True):
        labels = torch.where(m == best, class_id, labels)
    return torch.where((1 - best) ** gamma >= best, BACKGROUND, labels)


def _mined(maps: Tensor, ids: Tensor, alpha: float, conflicts: bool) -> Tensor:
    """Classes by high activation outside saliency (Eq. 5), background elsewhere, (H, W)."""
    labels = ids.new_full(maps.shape[1:], BACKGROUND)
    claimed = torch.zeros_like(labels)  # by how many classes
    for k in ids.argsort(descending=True):  # the lowest class last: without conflicts it wins
        claims = maps[k] > _positive_quantile(maps[k].flatten(), alpha)
        labels = torch.where(claims, ids[k], labels)
        claimed += claims
    return torch.where(claimed > 1, IGNORE, labels) if conflicts else labels


def _positive_quantile(values: Tensor, share: float) -> Tensor:
    """Quantile of the positive ones of (P,) values, between two of them linearly; else infinite.

    By selection, which has no limit; `torch.quantile` ends at 2^24 values.
    """
    count = int((values > 0).sum())
    if count == 0:
        return values.new_tensor(torch.inf)
    place = share * (count - 1)
    rank = len(values) - count + int(place)  # from 0, among all values
    low = values.kthvalue(rank + 1).values
    above = values > low
    if place == int(place) or len(values) - int(above.sum()) > rank + 1:  # the next one is equal
        return low
    return torch.lerp(low, torch.where(above, values, torch.inf).amin(), place - int(place))


def _opened(labels: Tensor, side: int) -> Tensor:
    """Put background wherever no side x side square of other labels covers a pixel.

    Squares may reach over the image's border: objects that leave the image are not eroded there.
    """
    edge = side - 1
    empty = F.pad((labels == BACKGROUND).float()[None, None], (edge, edge, edge, edge))
    fits = 1 - _any_in_square(empty, side)  # one value a square: all of it is not background
    return torch.where(_any_in_square(fits, side)[0, 0] > 0, labels, BACKGROUND)


def _any_in_square(planes: Tensor, side: int) -> Tensor:
    """Maximum over every side x side square inside `planes` (1, 1, H, W), rows then columns."""
    return F.max_pool2d(F.max_pool2d(planes, (side, 1), 1), (1, side), 1)


def _check(maps: Tensor, class_ids: Sequence[int], saliency: Tensor | None) -> None:
    """Raise `InputError` unless the three arguments belong together."""
    if maps.ndim != 3 or len(class_ids) != len(maps):
        raise InputError(
            f"complete_labels: maps {tuple(maps.shape)} need to be (K, H, W), with one of "
            f"class_ids each; there are {len(class_ids)}"
        )
    ids = torch.as_tensor(class_ids).tolist()
    if not all(BACKGROUND < c < IGNORE for c in ids) or len(set(ids)) < len(ids):
        raise InputError(
            f"complete_labels: class_ids {ids} must be 1 to 254 (0 is background), each once"
        )
    if not torch.isfinite(maps).all():
        raise InputError("complete_labels: maps hold NaN or infinity")
    if saliency is None:
        return
    if saliency.shape != maps.shape[1:] or saliency.dtype != torch.bool:
        raise InputError(
            f"complete_labels: saliency {tuple(saliency.shape)} {saliency.dtype} must be bool "
            f"and of the maps' size {tuple(maps.shape[1:])}; threshold it, e.g. `saliency > 0.5`"
        )
