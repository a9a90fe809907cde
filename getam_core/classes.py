"""Names, labels, colours: constants that every stage shares."""

import re
from collections.abc import Iterable

import numpy as np

from getam_core.control_characters import has_control_characters

BACKGROUND = 0
IGNORE = 255
MOST_CLASSES = 253  # with the background 254 labels, all below 255, which is no class

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip

COCO_CLASSES = (  # in the order of the category ids, 1..90 with gaps
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

SCENE_CLASSES = ("circle", "square", "triangle", "star", "cross", "ring")  # of `layout: scenes`

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, of values 0..1
IMAGENET_STD = (0.229, 0.224, 0.225)


def plain_name(name: str) -> str:
    """Return a name in the form used for comparison: "_Background_" gives "background"."""
    return " ".join(re.split(r"[\s_-]+", name.casefold())).strip()


def unusable_names(names: Iterable[str]) -> list[str]:
    """Return the names that no class may have: background, or ones that files cannot preserve."""
    return [
        n
        for n in names
        if plain_name(n) == "background"
        or ";" in n
        or n != n.strip()
        or not n
        or has_control_characters(n)
    ]


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
