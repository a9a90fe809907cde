"""What PAMR and PAR share: 8 neighbours a dilation as shifted views, and the averages over them.

Shapes: B images, K present classes, H, W pixels, G neighbours (8 a dilation).
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from getam_core.errors import InputError
from getam_core.resizing import resize_tensor

DIRECTIONS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def neighbours(planes: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """Shift `planes` to every neighbour, as views: no (B, K, G, H, W) tensor is ever made."""
    H, W = planes.shape[-2:]
    reach = max(dilations)
    padded = F.pad(planes, (reach, reach, reach, reach), mode="replicate")
    for dilation in dilations:
        for y, x in DIRECTIONS:
            top, left = reach + y * dilation, reach + x * dilation
            yield padded[..., top : top + H, left : left + W]


def check_reach(name: str, dilations: Sequence[int], iterations: int) -> None:
    """Raise `InputError` unless there are dilations, all of 1 or more, and iterations 0 or more."""
    if not dilations or min(dilations) < 1 or iterations < 0:
        raise InputError(
            f"{name}: dilations {tuple(dilations)}, iterations {iterations}: expected distances"
            " from 1 on, at least one, and no negative number of iterations"
        )


def average(weights: Tensor, maps: Tensor, dilations: Sequence[int], iterations: int) -> Tensor:
    """Sum `maps` over their neighbours again and again, all classes at once.

    Parameters
    ----------
    weights : (G, B, 1, H, W) tensor
        One plane a neighbour, the same in every iteration.
    maps : (B, K, H, W) tensor
    """
    for _ in range(iterations):
        total = torch.zeros_like(maps)
        for weight, neighbour in zip(weights, neighbours(maps, dilations), strict=True):
            total.addcmul_(weight, neighbour)
        maps = total
    return maps


def at_image_size(name: str, images: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return both in float32, the maps (B, K, h, w) in a copy of (B, K, H, W), bilinearly.

    Raises
    ------
    InputError
        When `images` are not RGB, or `maps` not of the same batch; `name` is the function that was
        called.
    """
    fit = images.ndim == maps.ndim == 4 and len(images) == len(maps) and images.shape[1] == 3
    if not fit:
        raise InputError(
            f"{name}: images {tuple(images.shape)} and maps {tuple(maps.shape)} do not agree: "
            "give (B, 3, H, W) and (B, K, h, w), one set of maps an image"
        )
    resized = resize_tensor(maps.float(), images.shape[-2:])
    return images.float(), resized.clone() if resized is maps else resized
