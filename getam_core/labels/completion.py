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
        Refined maps of the classes present, non-negative; each is divided by its maximum here.
        K may be 0, and a map may be all zeros.
    class_ids : (K,) ints
        Classes of the maps, 1..C, in any order.
    saliency : (H, W) bool tensor or ndarray, or None
        True where salient. None: no saliency is known, and the labels are the argmax of
        background and classes, without mining and without unknown pixels.
    gamma : float
        Exponent of the background score `(1 - max_c M_c)^gamma`; larger means less background.
    alpha : float
        Outside saliency, class c claims pixels whose `M_c` exceeds the alpha-quantile of its
        positive values.
    conflicts : bool
        True: a pixel that several classes claim is unknown (the paper's text). False: the lowest
        class wins (authors' code, where the next class claims only what is still background).
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
        When shapes do not agree, `saliency` is not boolean, a class is outside 1 to 254 or given
        twice, a map is not finite, `alpha` outside 0..1 or `gamma` below 1.
    """
    if isinstance(maps, np.ndarray):
        labels = complete_labels(
            torch.from_numpy(np.ascontiguousarray(maps)), class_ids, saliency,
            gamma=gamma, alpha=alpha, conflicts=conflicts, opening=opening,
        )  # fmt: skip
        assert isinstance(labels, Tensor)
        return labels.numpy()
    if isinstance(saliency, np.ndarray):
        saliency = torch.from_numpy(np.ascontiguousarray(saliency)).to(maps.device)
    check_values(maps, class_ids)
    return completed(
        maps, torch.as_tensor(class_ids), saliency,
        gamma=gamma, alpha=alpha, conflicts=conflicts, opening=opening,
    )  # fmt: skip


@torch.no_grad()
def completed(
    maps: Tensor,
    class_ids: Tensor,
    saliency: Tensor | None,
    *,
    gamma: float,
    alpha: float,
    conflicts: bool,
    opening: int,
) -> Tensor:
    """Do what `complete_labels` does for tensors whose values are known to be valid.

    Nothing is read back from the maps' device, so that a training step does not wait for it.
    NaN in a map gives an arbitrary label.
    """
    _check_form(maps, class_ids, saliency)
    if not 0 <= alpha <= 1 or gamma < 1:
        raise InputError(
            f"complete_labels: alpha {alpha}, gamma {gamma}: expected 0 <= alpha <= 1, gamma >= 1"
        )
    ids = class_ids.to(maps.device, torch.uint8, non_blocking=True)
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
    claims = maps > _positive_quantiles(maps.flatten(1), alpha)[:, None, None]
    labels = ids.new_full(maps.shape[1:], BACKGROUND)
    claimed = torch.zeros_like(labels)  # by how many classes
    order = ids.argsort(descending=True)  # the lowest class last: without conflicts it wins
    for claim, class_id in zip(claims[order], ids[order], strict=True):
        labels = torch.where(claim, class_id, labels)
        claimed += claim
    return torch.where(claimed > 1, IGNORE, labels) if conflicts else labels


def _positive_quantiles(values: Tensor, share: float) -> Tensor:
    """Linear quantile of the positive values in each row of (K, P); infinite without any.

    The number of positive values stays on the device. Ranks are counted from the highest value: the
    fewer values are positive, the nearer to it is their quantile, so the ranks down to the quantile
    of all P values suffice (and one more for rounding). `torch.quantile` takes at most 2^24 values.
    """
    P = values.shape[1]
    top = values.topk(min(P, P - int(share * (P - 1)) + 1)).values
    count = (values > 0).sum(1)
    place = share * (count - 1).double()  # from the lowest positive one, 0
    low = (count - 1 - place.floor().long()).clamp(min=0)  # from the highest one, 0
    ends = top.gather(1, torch.stack([low, (low - 1).clamp(min=0)], 1))
    between = torch.lerp(ends[:, 0], ends[:, 1], place.frac().to(values.dtype))
    return torch.where(count > 0, between, torch.inf)


def _opened(labels: Tensor, side: int) -> Tensor:
    """Put background wherever no side x side square of other labels covers a pixel.

    Squares may reach over the image's border: objects that leave the image are not eroded there.
    """
    edge = side - 1
    empty = F.pad((labels == BACKGROUND).float()[None, None], (edge, edge, edge, edge))
    fits = 1 - _any_in_square(empty, side)  # one value per square: 1 if it holds no background
    return torch.where(_any_in_square(fits, side)[0, 0] > 0, labels, BACKGROUND)


def _any_in_square(planes: Tensor, side: int) -> Tensor:
    """Maximum over every side x side square inside `planes` (1, 1, H, W), rows then columns."""
    return F.max_pool2d(F.max_pool2d(planes, (side, 1), 1), (1, side), 1)


def check_values(maps: Tensor, class_ids: Tensor | np.ndarray | Sequence[int]) -> None:
    """Raise `InputError` unless maps are finite and classes 1 to 254, each once.

    It waits for the device of the maps.
    """
    ids = torch.as_tensor(class_ids).tolist()
    if not all(BACKGROUND < c < IGNORE for c in ids) or len(set(ids)) < len(ids):
        raise InputError(f"class_ids {ids} must be 1 to 254 (0 is background), each once")
    if not torch.isfinite(maps).all():
        raise InputError("maps hold NaN or infinity: labels need finite values")


def _check_form(maps: Tensor, class_ids: Tensor, saliency: Tensor | None) -> None:
    """Raise `InputError` unless the three arguments belong together."""
    if maps.ndim != 3 or len(class_ids) != len(maps):
        raise InputError(
            f"complete_labels: maps {tuple(maps.shape)} must be (K, H, W), with one of "
            f"class_ids each; there are {len(class_ids)} class_ids"
        )
    if saliency is None:
        return
    if saliency.shape != maps.shape[1:] or saliency.dtype != torch.bool:
        raise InputError(
            f"complete_labels: saliency {tuple(saliency.shape)} {saliency.dtype} must be bool "
            f"and of the maps' size {tuple(maps.shape[1:])}; threshold it, e.g. `saliency > 0.5`"
        )
