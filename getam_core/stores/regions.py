"""Where each class is in a label map, for formats with one region per class."""

from collections.abc import Iterator

import numpy as np

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.errors import InputError
from getam_core.stores.reader import Store


def check_regions(store: Store) -> None:
    """Raise `InputError` for a store that holds neither label maps nor predictions."""
    if store.kind not in ("labels", "predictions"):
        raise InputError(
            f"{store.path}: {store.kind} have no regions; export labels or predictions"
        )


def regions(label_map: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the class_id of every class in a label map (H, W), and where it is, bool (H, W)."""
    for class_id in np.unique(label_map):
        if class_id not in (BACKGROUND, IGNORE):
            yield int(class_id), label_map == class_id
