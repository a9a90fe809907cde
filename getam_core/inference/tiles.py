"""Overlapping tiles of an image: each is segmented alone, and the logits fade into each other.

Shapes: h, w pixels, F mirrored versions, C foreground classes, as in `prediction`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """A tile along one side: it reads the pixels `read`, of which only `used` count.

    The used parts of neighbours share the overlap. The last tile also reads pixels before its used
    part, so that all tiles have the same size.
    """

    read: slice
    used: slice

    @property
    def cut(self) -> slice:
        """The used part, counted from where the tile begins."""
        return slice(self.used.start - self.read.start, self.used.stop - self.read.start)


def spans(length: int, side: int, overlap: int) -> list[Span]:
    """Cover `length` pixels by tiles of `side`; a shorter length by one tile of its own."""
    if length <= side:
        return [Span(slice(0, length), slice(0, length))]
    assert 2 * overlap <= side
    starts = range(0, length - overlap, side - overlap)
    return [_span(start, length, side) for start in starts]


def _span(start: int, length: int, side: int) -> Span:
    begin = min(start, length - side)
    return Span(slice(begin, begin + side), slice(start, min(start + side, length)))


def fade(span: Span, length: int, overlap: int) -> Tensor:
    """Return the weights of a span's used pixels; those of all spans sum to 1 at every pixel."""
    weights = torch.ones(span.used.stop - span.used.start)
    ramp = (torch.arange(overlap) + 0.5) / overlap
    if span.used.start > 0:
        weights[:overlap] = ramp
    if span.used.stop < length:
        weights[-overlap:] = ramp.flip(0)
    return weights


def blended_bands(
    segment: Callable[[np.ndarray], Tensor], view: np.ndarray, *, side: int, overlap: int
) -> Iterator[Tensor]:
    """Yield the logits of an image from top to bottom, (F, C + 1, n, w) float32 on the CPU.

    Parameters
    ----------
    segment : callable
        Tile (h', w', 3) -> logits (F, C + 1, h', w').
    view : (h, w, 3) uint8 ndarray
    side, overlap : int
        Of the tiles, pixels; the overlap is at most half a side.

    Notes
    -----
    One row of tiles is in memory at a time, with the overlap of the row before.
    """
    rows, columns = (spans(length, side, overlap) for length in view.shape[:2])
    above = None
    for row in rows:
        band = _band(segment, view, row, columns, overlap)
        band *= fade(row, view.shape[0], overlap)[:, None]
        if above is not None:
            band[..., :overlap, :] += above
        done = row.used.stop == view.shape[0]
        above = None if done else band[..., -overlap:, :].clone()
        yield band if done else band[..., :-overlap, :]


def _band(
    segment: Callable[[np.ndarray], Tensor],
    view: np.ndarray,
    row: Span,
    columns: list[Span],
    overlap: int,
) -> Tensor:
    """Return the blended logits of one row of tiles."""
    band = None
    for column in columns:
        logits = segment(view[row.read, column.read])[..., row.cut, column.cut].cpu()
        if len(columns) == 1:
            return logits.contiguous()
        if band is None:
            band = logits.new_zeros(*logits.shape[:3], view.shape[1])
        band[..., column.used] += logits * fade(column, view.shape[1], overlap)
    return band
