"""Label maps given to a training: another run's, a user's, or, as an upper bound, the masks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from getam_core.data.index import Entry
from getam_core.errors import InputError, raise_problems
from getam_core.stores import Store, open_store


def open_label_maps(path: Path | str, entries: Sequence[Entry], classes: Sequence[str]) -> Store:
    """Open a store of kind "labels" that has `classes` and labels every entry.

    The file is closed until something is read from it, so that every worker opens its own handle.

    Raises
    ------
    InputError
        The store is of another kind, has other classes, or lacks an image.
    """
    store = open_store(path, "labels")
    if store.classes != tuple(classes):
        raise InputError(
            f"{store.path}: labels of the classes {', '.join(store.classes)};"
            f" this run has {', '.join(classes)}"
        )
    held = set(store.ids())
    store.close()
    absent = [f"{e.image_id}: not in it" for e in entries if e.image_id not in held]
    raise_problems(f"{store.path}, which must label every training image", absent)
    return store


def read_labels(store: Store, image_id: str, shape: tuple[int, int]) -> np.ndarray:
    """Return a label map (H, W) uint8; `InputError` if it does not have the image's `shape`."""
    labels = store[image_id]
    if labels.shape != shape:
        raise InputError(
            f"{store.path}: image {image_id!r} has labels of {labels.shape} pixels, its file has"
            f" {shape}"
        )
    return labels


def check_supervision(path: Path | str, asked: str, key: str) -> None:
    """Check that a run is trained on ground truth if, and only if, its settings say so.

    Parameters
    ----------
    path : Path or str
        A store of kind "labels". It records whether it was made from masks, or from the maps of a
        network that was trained on them.
    asked : str
        The value of the setting, "masks" for ground truth.
    key : str
        The setting's key.

    Raises
    ------
    InputError
        Store and setting differ; the message names both.
    """
    store = open_store(path, "labels")
    made_from = store.settings.get("made_from", {})
    masks = "masks" in (store.settings.get("supervision"), made_from.get("supervision"))
    store.close()
    if masks != (asked == "masks"):
        raise InputError(
            f"{store.path}: made from {'masks' if masks else 'labels other than masks'}, but"
            f" {key} is {asked}"
        )
