"""Image-level labels read from masks: only for comparisons, since this opens the ground truth."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.data.voc import voc_folder
from getam_core.errors import InputError
from getam_core.evaluation.masks import read_mask, voc_mask
from getam_core.stores import Values, read_label_png

log = logging.getLogger(__name__)


def voc_mask_labels(
    root: Path | str,
    classes: Sequence[str],
    sbd: Path | str | None = None,
    values: Values | None = None,
) -> Callable[[str], tuple[str, ...]]:
    """Return a function from image_id to the classes that have a pixel in its mask.

    A warning says that ground truth is read: such a run is not weakly supervised by labels that
    people gave. `values` says what the masks' values mean, see `parse_values`.
    The function raises `InputError` if a mask is missing or has another value.
    """
    folder = voc_folder(root)
    log.warning("image-level labels are read from the masks (data.labels: masks): ground truth")

    def labels_of(image_id: str) -> tuple[str, ...]:
        path = voc_mask(folder, image_id, sbd)
        mask = read_mask(path) if values is None else read_label_png(path, values)
        shown = [v for v in np.unique(mask).tolist() if v not in (BACKGROUND, IGNORE)]
        if shown and shown[-1] > len(classes):
            raise InputError(f"{path}: value {shown[-1]}, expected 0..{len(classes)} or {IGNORE}")
        return tuple(classes[v - 1] for v in shown)

    return labels_of
