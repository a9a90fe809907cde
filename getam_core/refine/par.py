"""Pixel-adaptive refinement (PAR; Ru et al. 2022, AFA): PAMR's neighbours, other weights.

The weights are steeper than PAMR's, since they fall with the square of the difference in colour,
and near neighbours count a little more than far ones whatever their colour.

Shapes: B images, K present classes, H, W pixels, G neighbours (8 per dilation).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from getam_core.refine.neighbours import DILATIONS, DIRECTIONS, neighbours, refined

WIDTH = 0.3  # of both kernels, in standard deviations
DISTANCE_SHARE = 0.01  # what the kernel of distance adds to the weights' sum of 1


@torch.no_grad()
def par(
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
        Refined maps, without a graph. The weights of a pixel sum to 1.01, so that a constant map
        grows by 1.01 in each iteration; completion divides by the maximum.

    Raises
    ------
    InputError
        When `images` are not RGB, `maps` not of the same batch, a dilation is below 1, or
        `iterations` below 0.
    """
    return refined("par", images, maps, _weights, iterations=iterations, dilations=dilations)


def _weights(images: Tensor, dilations: Sequence[int]) -> Tensor:
    """Weights of the neighbours, (G, B, 1, H, W), one contiguous plane per neighbour.

    softmax of -mean_channels (|I_i - I_j| / (0.3 sigma))^2, plus 0.01 times the softmax of
    -(d / (0.3 sigma_d))^2 of their distances d in pixels.
    """
    B, _, H, W = images.shape
    scale = 1 / (WIDTH * (1e-8 + _deviation(images, dilations)))
    weights = images.new_empty(len(dilations) * len(DIRECTIONS), B, 1, H, W)
    for plane, neighbour in zip(weights, neighbours(images, dilations), strict=True):
        relative = (neighbour - images).mul_(scale)
        torch.mean(relative.square_(), dim=1, keepdim=True, out=plane)
    # The centre is not among the samples of sigma: next to a flat area every exponent is huge,
    # so the best one is subtracted.
    weights.sub_(weights.amin(dim=0)).neg_().exp_()
    weights.div_(weights.sum(dim=0))
    near = _distance_weights(dilations).to(weights, non_blocking=True)
    return weights.add_(near.view(-1, 1, 1, 1, 1))


def _deviation(images: Tensor, dilations: Sequence[int]) -> Tensor:
    """Sample standard deviation of each channel over the G neighbours; two passes for precision."""
    n = len(dilations) * len(DIRECTIONS)
    mean = torch.zeros_like(images)  # relative to the centre, so that flat areas give exactly 0
    for neighbour in neighbours(images, dilations):
        mean.add_(neighbour - images)
    mean.div_(n)
    squares = torch.zeros_like(images)
    for neighbour in neighbours(images, dilations):
        difference = (neighbour - images).sub_(mean)
        squares.addcmul_(difference, difference)
    return squares.div_(n - 1).sqrt_()


def _distance_weights(dilations: Sequence[int]) -> Tensor:
    """Weights of the neighbours by distance alone, (G,), sum 0.01."""
    places = torch.tensor([(d * y, d * x) for d in dilations for y, x in DIRECTIONS])
    distance = places.double().norm(dim=1)
    return DISTANCE_SHARE * (-((distance / (WIDTH * distance.std())) ** 2)).softmax(0)
