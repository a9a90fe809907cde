"""Which cells of the patch grid belong together: targets, loss, propagation (AFA; Ru et al. 2022).

An affinity A[i, j] in 0..1 says how surely cells i and j belong to the same object or background.
It is learned from labels, on pairs within a window only; squared, it propagates maps between cells.

Shapes: B images, K maps per image, N = h * w cells, H, W pixels.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from getam_core.classes import IGNORE
from getam_core.errors import InputError

RADIUS = 8  # cells
SAME, DIFFERENT = 1, 0


def affinity_targets(labels: Tensor, grid: Sequence[int], radius: int = RADIUS) -> Tensor:
    """Turn label maps into targets for the affinity of each pair of cells (Section 3.3).

    Parameters
    ----------
    labels : (B, H, W) uint8 Tensor
        0 background, 1..C classes, 255 unknown. A cell has the label of its central pixel.
    grid : (h, w)
        Cells.
    radius : int
        Pairs farther apart than this many rows or columns of cells do not count.

    Returns
    -------
    (B, N, N) uint8 Tensor, symmetric
        1 same label, 0 different labels, 255 for a pair that does not count.
    """
    cells_BN = cells_of(labels, grid)
    rows, columns = cells_BN[:, :, None], cells_BN[:, None, :]
    counted = (rows != IGNORE) & (columns != IGNORE) & window(grid, radius, labels.device)
    return (rows == columns).to(torch.uint8).masked_fill(~counted, IGNORE)


def cells_of(labels: Tensor, grid: Sequence[int]) -> Tensor:
    """Give every cell the label of its central pixel: (B, H, W) to (B, N) uint8."""
    return F.interpolate(labels[:, None], tuple(grid), mode="nearest-exact").flatten(1)


def affinity_loss(
    affinity: Tensor,
    targets: Tensor,
    count: Callable[[Tensor], Tensor] | None = None,
    objects: Tensor | None = None,
) -> Tensor:
    """Average two means: of 1 - A over pairs with the same label, of A over the other pairs.

    There are two since most pairs within a window have the same label. Where `objects` are given,
    the first is split into two again, since most of its pairs are background. A mean over no pairs
    is zero.

    Parameters
    ----------
    affinity : (B, N, N) Tensor
        0..1.
    targets : (B, N, N) Tensor
        Of `affinity_targets`.
    count : callable or None
        Turns the number of pairs in a sum into the divisor for its mean; None for that number.
    objects : (B, N) bool Tensor or None
        Cells of a class. The first mean is then the average of two, over pairs of one class and
        over pairs of background (AffinityNet; Ahn and Kwak 2018). None for one over both (AFA).
    """
    count = count or (lambda number: number.clamp(min=1))
    same, apart = targets == SAME, targets == DIFFERENT

    def mean(error: Tensor, pairs: Tensor) -> Tensor:
        return (error * pairs).sum() / count(pairs.sum())

    if objects is None:
        alike = mean(1 - affinity, same)
    else:
        of_object, of_background = same & objects[:, None], same & ~objects[:, None]
        alike = (mean(1 - affinity, of_object) + mean(1 - affinity, of_background)) / 2
    return (alike + mean(affinity, apart)) / 2


def propagate(affinity: Tensor, maps: Tensor, radius: int = RADIUS) -> Tensor:
    """Give every cell the weighted mean of the maps over the cells it has affinity to (Sec. 3.3).

    The weights of a cell are the squared affinities within its window, divided by their sum: one
    step of a random walk.

    Parameters
    ----------
    affinity : (B, N, N) Tensor
        0..1.
    maps : (B, K, h, w) Tensor
        With h * w = N.
    radius : int
        As in `affinity_targets`.

    Returns
    -------
    (B, K, h, w) Tensor, within the range of `maps`.

    Raises
    ------
    InputError
        Affinities of another grid.
    """
    B, _, h, w = maps.shape
    if affinity.shape != (B, h * w, h * w):
        raise InputError(
            f"propagate: affinities {tuple(affinity.shape)} and maps {tuple(maps.shape)} do not"
            " agree: give (B, N, N) and (B, K, h, w) with h * w = N"
        )
    squared = affinity.to(maps.dtype).square() * window((h, w), radius, affinity.device)
    weights = squared / squared.sum(1, keepdim=True).clamp_min(torch.finfo(squared.dtype).tiny)
    with torch.autocast(maps.device.type, enabled=False):  # bfloat16 would make scores equal
        return (maps.flatten(2) @ weights).unflatten(2, (h, w))


def window(grid: Sequence[int], radius: int, device: torch.device) -> Tensor:
    """Return which pairs of cells are at most `radius` rows and columns apart, (N, N) bool."""
    places = [torch.arange(side, device=device) for side in grid]
    rows, columns = ((own[:, None] - own).abs() <= radius for own in places)  # (h, h), (w, w)
    pairs = rows[:, None, :, None] & columns[None, :, None, :]  # (h, w, h, w)
    return pairs.flatten(2).flatten(0, 1)
