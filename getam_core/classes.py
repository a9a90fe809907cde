"""Names, labels, colours: constants that every stage shares."""

import numpy as np

BACKGROUND = 0
IGNORE = 255

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip

SCENE_CLASSES = ("circle", "square", "triangle", "star", "cross", "ring")  # of the made scenes

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, of values 0..1
IMAGENET_STD = (0.229, 0.224, 0.225)


def palette() -> np.ndarray:
    """Return the PASCAL VOC colour map, (256, 3) uint8 RGB."""
    labels = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((labels >> (3 * bit + channel)) & 1) << (7 - bit)).astype(
                np.uint8
            )
    return colours
