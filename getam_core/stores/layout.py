"""What a store looks like inside: schema, kinds, and the checksum of one image.

A file holds the attributes schema, kind, classes, settings, version, count, contents, complete, and
the group `images` with one HDF5 data set per image. It gets its final name only once complete.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

SCHEMA = 1
# What one image's array is, by kind of file: (data type, number of axes).
KINDS = {
    "saliency": ("uint8", 2),
    "maps": ("float16", 3),
    "labels": ("uint8", 2),
    "predictions": ("uint8", 2),
}
CHECKSUM = "crc32"


def checksum(array: np.ndarray, attributes: Mapping[str, Any]) -> int:
    """Return the CRC-32 of types, shapes and bytes of the array and, by name, its attributes."""
    crc = 0
    for name, value in [("", array), *sorted(attributes.items())]:
        value = np.asarray(value, order="C")
        crc = zlib.crc32(f"{name} {value.dtype.str} {value.shape} ".encode(), crc)
        crc = zlib.crc32(value, crc)  # type: ignore[arg-type] # a buffer from Python 3.12 on
    return crc
