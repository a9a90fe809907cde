"""Images at the door: files to RGB arrays, arrays to tensors and back."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from getam_core.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")  # in any case


def read_image(path: Path | str) -> np.ndarray:
    """Read an image file, turned upright as its EXIF orientation says.

    Parameters
    ----------
    path : Path or str
        JPEG, PNG or what else OpenCV decodes; grey images become three equal channels.

    Returns
    -------
    (H, W, 3) uint8 ndarray
        RGB, 0..255.

    Raises
    ------
    InputError
        When the file is missing or no image.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    if image is None:
        raise InputError(f"{path}: not an image that can be decoded")
    return image


def to_tensor(image: np.ndarray) -> Tensor:
    """Turn (H, W, 3) uint8 RGB into (3, H, W) float32, 0..1."""
    return torch.from_numpy(image).permute(2, 0, 1).contiguous().float().div_(255)


def to_uint8(image: Tensor) -> np.ndarray:
    """Turn (3, H, W) float RGB, 0..1, into (H, W, 3) uint8; values outside are clipped."""
    scaled = image.detach().clamp(0, 1).mul(255).round().to(torch.uint8)
    return scaled.permute(1, 2, 0).contiguous().cpu().numpy()
