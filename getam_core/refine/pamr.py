"""Pixel-adaptive mask refinement (PAMR; Araslanov and Roth 2020, used by GETAM, section 4.2).

A map is averaged repeatedly over 8 neighbours at each of several distances, with weights that
say how similar the image's colours are: maps flow within objects and stop at their edges.

Shapes: B images, K present classes, H, W pixels, G neighbours (8 per dilation).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from getam_core.refine.neighbours import DILATIONS, DIRECTIONS, neighbours, refined


@torch.no_grad()
def pamr(
    images: Tensor,
    maps: Tensor,
    *,
    iterations: int = 10,
    dilations: Sequence[int] = DILATIONS,
) -> Tensor:
    """Fit activation maps to the edges of their images.

    Parameters
    ----------
    images : (B, 3, H, W) tensor
        RGB; 0..1 or 0..255 give the same result, since the weights are relative to the local
        standard deviation.
    maps : (B, K, h, w) tensor
        Non-negative maps, resized to (H, W) bilinearly. Only classes present in the image are
        needed; K may be 0.
    iterations : int
        Number of averages; 0 only resizes.
    dilations : sequence of int
        Distances of the neighbours in pixels; the border is replicated beyond the image.

    Returns
    -------
    (B, K, H, W) float32 tensor
        Refined maps, within the range of `maps`, without a graph.

    Raises
    ------
    InputError
        When `images` are not RGB, `maps` not of the same batch, a dilation is below 1, or
        `iterations` below 0.
    """
    return refined("pamr", images, maps, _weights, iterations=iterations, dilations=dilations)


def _weights(images: Tensor, dilations: Sequence[int]) -> Tensor:
    """Weights of the neighbours, (G, B, 1, H, W), one contiguous plane per neighbour; sum 1 over G.

    softmax over neighbours of -mean_channels |I_i - I_j| / (1e-8 + 0.1 sigma).
    """
    B, _, H, W = images.shape
    scale = -1 / (3 * (1e-8 + 0.1 * _deviation(images, dilations)))
    weights = images.new_empty(len(dilations) * len(DIRECTIONS), B, 1, H, W)
    for plane, neighbour in zip(weights, neighbours(images, dilations), strict=True):
        difference = (neighbour - images).abs_().mul_(scale)
        torch.sum(difference, dim=1, keepdim=True, out=plane)
    # No maximum is subtracted: the centre is among the samples of sigma, so that the best
    # neighbour's exponent is never below -32 and the sum cannot vanish.
    weights.exp_()
    return weights.div_(weights.sum(dim=0))


def _deviation(images: Tensor, dilations: Sequence[int]) -> Tensor:
    """Sample standard deviation of every channel over the 9 samples of every dilation.

    Summed relative to the centre, which makes it exactly 0 on flat areas and loses no digits:
    the centre is itself one sample in nine, so the mean is never far from it.
    """
    total, squares = torch.zeros_like(images), torch.zeros_like(images)
    for neighbour in neighbours(images, dilations):
        difference = neighbour - images
        total.add_(difference)
        squares.addcmul_(difference, difference)
    n = 9 * len(dilations)
    return squares.sub_(total.square_().div_(n)).div_(n - 1).clamp_(min=0).sqrt_()
