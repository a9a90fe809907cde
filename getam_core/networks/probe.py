"""The widths and strides of a CNN's maps, found by running it once.

Shapes: (H, W) pixels; the map at stride s is (channels, H / s, W / s), exactly.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from getam_core.errors import InputError
from getam_core.networks.library import one_line

ADVICE = "use a CNN as the stem, for instance resnet50"


def measure(
    trunk: nn.Module, name: str, max_stride: int, pad: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (channels, strides) of a trunk's maps.

    The image is 12 x 10 cells of the coarsest map: not square, so that maps with channels last
    are noticed, and not a multiple of the windows (7 or 8 cells) that some transformers need.

    Raises
    ------
    InputError
        The trunk refuses the image, a map is not (channels, rows, columns), its sides are not
        exactly the image's divided by its stride, or the last map is not of `max_stride`.
    """
    sides = (12 * max_stride, 10 * max_stride)
    shapes = _shapes(trunk, name, sides, pad)
    strides = tuple(_stride(shape, sides) for shape in shapes)
    if None in strides:
        raise InputError(
            f"{name}: gives maps of {' and '.join(map(str, shapes))} for an image of"
            f" {_text(sides)} px, not (channels, rows, columns); {ADVICE}"
        )
    if strides[-1] != max_stride:
        raise InputError(
            f"{name}: has strides {strides}, none of which is max_stride={max_stride};"
            f" set max_stride to {strides[-1]}"
        )
    if not _exact(shapes, strides, sides):
        pads = (p for p in range(8) if _exact(_shapes(trunk, name, sides, p), strides, sides))
        fits = next(pads, None)
        advice = f"set pad to {fits}" if fits is not None else f"no padding fixes this, {ADVICE}"
        got = ", ".join(_text(shape[1:]) for shape in shapes)
        raise InputError(
            f"{name}: {_text(sides)} px give maps of {got} cells, not 1/{strides}; {advice}"
        )
    return tuple(shape[0] for shape in shapes), strides


def _exact(shapes: Sequence[tuple[int, ...]], strides: Sequence[int], sides: Sequence[int]) -> bool:
    cells = [tuple(side // stride for side in sides) for stride in strides]
    return [shape[1:] for shape in shapes] == cells


@torch.no_grad()
def _shapes(trunk: nn.Module, name: str, sides: Sequence[int], pad: int) -> list[tuple[int, ...]]:
    """Return the shapes of the maps of one black image, without the batch."""
    image = torch.zeros(1, 3, *(side + 2 * pad for side in sides))
    try:
        maps = trunk.eval()(image)
    except Exception as error:  # a network may refuse a size with any error
        raise InputError(
            f"{name}: refuses an image of {_text(sides)} px ({one_line(error)}), and a stem"
            f" takes images of any size; {ADVICE}"
        ) from error
    finally:
        trunk.train()
    return [tuple(m.shape[1:]) for m in maps]


def _stride(shape: Sequence[int], sides: Sequence[int]) -> int | None:
    """Return the stride of a map of (channels, rows, columns); None for another layout."""
    if len(shape) != 3:
        return None
    rows, columns = (
        2 ** round(math.log2(side / cells)) for side, cells in zip(sides, shape[1:], strict=True)
    )
    return rows if rows == columns else None


def _text(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides))
