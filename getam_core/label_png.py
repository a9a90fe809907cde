"""Label maps as pictures whose values are the labels."""

import numpy as np
from PIL import Image

from getam_core.classes import palette


def index_png(labels: np.ndarray) -> Image.Image:
    """Turn a label map (H, W), uint8, into a picture: indices are its values, colours are VOC's."""
    picture = Image.fromarray(labels)
    picture.putpalette(palette().tobytes())
    return picture
