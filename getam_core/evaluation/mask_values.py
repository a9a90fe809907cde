"""Masks whose values are not the labels, translated once to index PNGs, whose values are."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from getam_core.errors import InputError, raise_problems
from getam_core.files import atomic_path
from getam_core.label_png import index_png
from getam_core.stores import Values, read_label_png


def translated_masks(masks: Mapping[str, Path], values: Values, out: Path) -> dict[str, Path]:
    """Translate masks to index PNGs in the folder `out`; for `values` see `parse_values`.

    Raises
    ------
    InputError
        Names every mask that cannot be read this way.
    """
    out.mkdir(parents=True, exist_ok=True)
    problems, written = [], {}
    for image_id, path in tqdm(masks.items(), "translate masks", unit="mask"):
        written[image_id] = out / f"{image_id}.png"
        try:
            write_mask(written[image_id], read_label_png(path, values))
        except InputError as error:
            problems.append(str(error))
    raise_problems("the masks", problems)
    return written


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write labels (H, W) uint8 as an index PNG with PASCAL VOC's palette."""
    with atomic_path(path) as temporary:
        index_png(mask).save(temporary)
