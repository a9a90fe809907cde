"""What PAMR and PAR share: 8 neighbours per dilation as shifted views, and the averages over them.

Shapes: B images, K present classes, H, W pixels, G neighbours (8 per dilation).
"""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from getam_core.errors import InputError
from getam_core.resizing import resize_tensor

DILATIONS = (1, 2, 4, 8, 12, 24)  # of both papers, in pixels
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


def refined(
    name: str,
    images: Tensor,
    maps: Tensor,
    weights_of: Callable[[Tensor, Sequence[int]], Tensor],
    *,
    iterations: int,
    dilations: Sequence[int],
) -> Tensor:
    """Replace `maps` by weighted sums over neighbours, repeatedly, all classes at once.

    Parameters
    ----------
    name : str
        Of the function that was called, for error messages.
    images : (B, 3, H, W) tensor
    maps : (B, K, h, w) tensor
        Resized to (H, W) bilinearly, as a copy.
    weights_of : callable
        (images, dilations) -> (G, B, 1, H, W), one plane per neighbour, for all iterations.

    Returns
    -------
    (B, K, H, W) float32 tensor

    Raises
    ------
    InputError
        When `images` are not RGB, `maps` not of the same batch, a dilation is below 1, or
        `iterations` below 0.
    """
    _check_reach(name, dilations, iterations)
    images, maps = _at_image_size(name, images, maps)
    if maps.shape[1] == 0 or iterations == 0:
        return maps
    weights = weights_of(images, dilations)
    for _ in range(iterations):
        total = torch.zeros_like(maps)
        for weight, neighbour in zip(weights, neighbours(maps, dilations), strict=True):
            total.addcmul_(weight, neighbour)
        maps = total
    return maps


def _check_reach(name: str, dilations: Sequence[int], iterations: int) -> None:
    if not dilations or min(dilations) < 1 or iterations < 0:
        raise InputError(
            f"{name}: dilations {tuple(dilations)}, iterations {iterations}: expected at least one"
            " dilation, all of them 1 or more, and iterations of 0 or more"
        )


def _at_image_size(name: str, images: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return both in float32, the maps in a copy at the images' size."""
    fit = images.ndim == maps.ndim == 4 and len(images) == len(maps) and images.shape[1] == 3
    if not fit:
        raise InputError(
            f"{name}: images {tuple(images.shape)} and maps {tuple(maps.shape)} do not agree: "
            "give (B, 3, H, W) and (B, K, h, w), one set of maps per image"
        )
    resized = resize_tensor(maps.float(), images.shape[-2:])
    return images.float(), resized.clone() if resized is maps else resized
