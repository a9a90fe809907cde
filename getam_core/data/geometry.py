"""Geometry of images: the joint random crop of training, and sides that a network accepts."""

import cv2
import numpy as np

from getam_core.classes import IGNORE, IMAGENET_MEAN

# The mean colour, so that padding looks like nothing in particular to a network.
PADDING = tuple(round(255 * value) for value in IMAGENET_MEAN)


def random_crop(
    image: np.ndarray,
    plane: np.ndarray | None,
    size: int,
    scale_range: tuple[int, int],
    rng: np.random.Generator,
    *,
    labels: bool = False,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Resize, flip and crop an image at random, and its saliency or labels in the same way.

    Parameters
    ----------
    image : (H, W, 3) uint8 ndarray
        RGB, 0..255.
    plane : (H, W) uint8 ndarray or None
        Saliency, 0..255, interpolated like the image.
    size : int
        Side of the crop, pixels.
    scale_range : (int, int)
        The long side is resized to a whole number of pixels drawn from this range, ends included.
    rng : numpy.random.Generator
        Four numbers are drawn, whatever the image.
    labels : bool
        The plane is a label map: it is resized by nearest neighbour, and padding is 255.

    Returns
    -------
    image : (size, size, 3) uint8 ndarray
    plane : (size, size) uint8 ndarray or None
        Saliency is 0 in the padding.
    valid : (size, size) bool ndarray
        False in the padding of an image smaller than the crop: losses must ignore it. (The authors'
        code labelled it background.)
    """
    height, width = image.shape[:2]
    long_side = int(rng.integers(scale_range[0], scale_range[1] + 1))
    scale = long_side / max(height, width)
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    flip = rng.random() < 0.5
    rows, rows_out = _window(height, size, rng)
    columns, columns_out = _window(width, size, rng)

    def crop(resized: np.ndarray, fill: tuple[int, ...] | int) -> np.ndarray:
        resized = resized[:, ::-1] if flip else resized
        out = np.full((size, size, *resized.shape[2:]), fill, resized.dtype)
        out[rows_out, columns_out] = resized[rows, columns]
        return out

    valid = np.zeros((size, size), bool)
    valid[rows_out, columns_out] = True
    image = crop(resize(image, height, width), PADDING)
    if plane is None:
        return image, None, valid
    if labels:
        return image, crop(resize_labels(plane, height, width), IGNORE), valid
    return image, crop(resize(plane, height, width), 0), valid


def _window(length: int, size: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Draw which part of a side of `length` goes to which part of the crop's side of `size`."""
    slack = length - size
    start = int(rng.integers(abs(slack) + 1))
    if slack >= 0:
        return slice(start, start + size), slice(0, size)
    return slice(0, length), slice(start, start + length)


def resize(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (H, W[, C]): downsample by area averages, which do not alias, upsample bilinearly."""
    if array.shape[:2] == (height, width):
        return array
    shrinks = height * width < array.shape[0] * array.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(array, (width, height), interpolation=method)


def resize_labels(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a label map (H, W) by nearest neighbour."""
    return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def resize_to_stride(image: np.ndarray, long_side: int | None, stride: int) -> np.ndarray:
    """Resize an image so that both sides are multiples of a network's stride.

    Parameters
    ----------
    image : (H, W[, C]) ndarray
    long_side : int or None
        Length of the long side, pixels, rounded to the stride; None keeps the image's own size.
    stride : int
        Every side is rounded to its nearest multiple, and is at least one stride. Rounding by up to
        half a stride therefore changes the aspect ratio.

    Returns
    -------
    (H', W'[, C]) ndarray
        The same array if nothing has to change.
    """
    height, width = image.shape[:2]
    scale = 1 if long_side is None else long_side / max(height, width)
    height, width = (max(stride, round(side * scale / stride) * stride) for side in (height, width))
    return resize(image, height, width)
