"""Image files to RGB arrays."""

from pathlib import Path

import cv2
import numpy as np

from getam_core.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")  # case does not matter


def read_image(path: Path | str) -> np.ndarray:
    """Read an image file, turned upright as its EXIF orientation says.

    Parameters
    ----------
    path : Path or str
        JPEG, PNG or another format that OpenCV decodes; grey images become three equal channels.

    Returns
    -------
    (H, W, 3) uint8 ndarray
        RGB, 0..255.

    Raises
    ------
    InputError
        The file is missing, is not an image, or has more pixels than OpenCV decodes (2^30).
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    except cv2.error as error:  # it refuses large sizes before it decodes
        raise InputError(
            f"{path}: OpenCV cannot decode it ({error.err or error}); it takes at most 2^30 pixels"
            " and 2^20 per side: downsample or crop it"
        ) from None
    if image is None:
        raise InputError(f"{path}: not an image that can be decoded")
    return image
