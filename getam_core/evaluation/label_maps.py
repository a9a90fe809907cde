"""Stored label maps and predictions against masks."""

from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from getam_core.errors import InputError
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.evaluation.masks import read_mask
from getam_core.stores import Store


def evaluate_label_maps(
    store: Store, masks: Mapping[str, Path], num_classes: int
) -> ConfusionMatrix:
    """Count every image that `masks` names, with a progress bar.

    Parameters
    ----------
    store : Store
        Of kind "labels" or "predictions".
    masks : mapping of image_id to Path
    num_classes : int
        Including the background, C + 1.

    Raises
    ------
    InputError
        Names the image that is missing in the store, damaged, or does not fit its mask.
    """
    matrix = ConfusionMatrix(num_classes)
    for image_id, path in tqdm(masks.items(), desc=f"evaluate {store.kind}", unit="image"):
        prediction, mask = store[image_id], read_mask(path)
        try:
            matrix.update(prediction, mask)
        except InputError as error:
            raise InputError(f"{store.path}: image {image_id!r}: {error}") from None
    return matrix
