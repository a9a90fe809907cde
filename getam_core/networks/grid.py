"""The grid of patches that a network cuts an image into."""

from collections.abc import Sequence

from getam_core.errors import InputError


def patch_grid(image_size: Sequence[int], stride: int) -> tuple[int, int]:
    """Return the grid (h, w) of a network's last features for images of (H, W) pixels.

    Raises
    ------
    InputError
        A side is not a multiple of `stride`.
    """
    height, width = image_size
    if height % stride or width % stride:
        raise InputError(
            f"image of {height} x {width} px: sides must be multiples of {stride},"
            " the stride of this network; resize or crop it"
        )
    return height // stride, width // stride
