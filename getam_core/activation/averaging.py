"""Maps of any method, averaged over image scales and mirror images.

Shapes: B images, C classes, M (image, class) pairs, L blocks, (h, w) patches.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from getam_core.resizing import resize_tensor

MapMethod = Callable[..., tuple[Tensor, Tensor]]


def averaged(
    method: MapMethod, *, scales: Sequence[float] = (1.0,), flip: bool = False, stride: int = 1
) -> MapMethod:
    """Return a method of the same form that averages over views of the images.

    Every view has the same weight, although GETAM's squared gradients change in size with the
    number of patches: its map is divided by its maximum (single blocks by the maximum of their
    sum), and the mean of these is multiplied by the mean of the maxima. Logits are the mean over
    the views.

    Parameters
    ----------
    method : MapMethod
        One of `METHODS`, or any `f(model, images, targets, **own) -> (maps, logits)`.
    scales : sequence of float
        Factors on the sides of the images; the maps have the grid of the first.
    flip : bool
        Add each scale's mirror image.
    stride : int
        Sides of scaled images are rounded to multiples of it.
    """
    if tuple(scales) == (1.0,) and not flip:
        return method

    def over_views(
        model: nn.Module, images: Tensor, targets: Tensor, **own: object
    ) -> tuple[Tensor, Tensor]:
        units, peaks, logits = [], [], []
        for view, mirrored in views(images, scales, flip, stride):
            maps, scores = method(model, view, targets, **own)
            maps = maps.flip(-1) if mirrored else maps
            peak = _peak(maps)
            units.append(maps / peak.clamp_min(torch.finfo(maps.dtype).tiny))
            peaks.append(peak)
            logits.append(scores)
        resized = [resize_tensor(unit, units[0].shape[-2:], antialias=True) for unit in units]
        return _mean(resized) * _mean(peaks), _mean(logits)

    return over_views


def _peak(maps: Tensor) -> Tensor:
    """Return the maximum of each (image, class) pair; maps (M, h, w) or (M, L, h, w)."""
    whole = maps.sum(1, keepdim=True) if maps.ndim == 4 else maps
    return whole.amax((-2, -1), keepdim=True)


def views(
    images: Tensor, scales: Sequence[float], flip: bool, stride: int
) -> Iterator[tuple[Tensor, bool]]:
    """Yield the images at every scale, and whether they are mirrored."""
    for scale, mirrored in product(scales, (False, True) if flip else (False,)):
        size = [max(1, round(side * scale / stride)) * stride for side in images.shape[-2:]]
        view = resize_tensor(images, size, antialias=True)
        yield (view.flip(-1) if mirrored else view), mirrored


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(tensors)).mean(0)
