"""Resizing of tensors, the same in every stage; `data.geometry` resizes arrays."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def resize_tensor(x: Tensor, size: Sequence[int], *, antialias: bool = False) -> Tensor:
    """Resize (..., h, w) bilinearly to `size` (rows, columns).

    The image borders are aligned, not the centres of the corner pixels (`align_corners=False`).

    Parameters
    ----------
    x : (..., h, w) float Tensor
        May be empty.
    antialias : bool
        Average over the area that a pixel covers when downsampling.

    Returns
    -------
    (..., H, W) Tensor
        The same tensor if it already has that size.
    """
    size = tuple(size)
    if x.shape[-2:] == size:
        return x
    if not x.numel():  # such as maps of an image without classes
        return x.new_zeros(*x.shape[:-2], *size)
    planes = x if x.ndim == 4 else x.reshape(-1, 1, *x.shape[-2:])
    resized = F.interpolate(planes, size, mode="bilinear", align_corners=False, antialias=antialias)
    return resized if x.ndim == 4 else resized.reshape(*x.shape[:-2], *size)
