"""Stored label maps and predictions against masks: over the set, and image by image."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from getam_core.errors import InputError
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.evaluation.masks import read_mask
from getam_core.files import atomic_path
from getam_core.stores import Store


def evaluate_label_maps(
    store: Store, masks: Mapping[str, Path], num_classes: int
) -> tuple[ConfusionMatrix, dict[str, float]]:
    """Count every image that `masks` names, with a progress bar.

    Parameters
    ----------
    store : Store
        Of kind "labels" or "predictions".
    masks : mapping of image_id to Path
    num_classes : int
        Including the background, C + 1.

    Returns
    -------
    matrix : ConfusionMatrix
        Over all images: the figure.
    mious : dict of str to float
        image_id to the mIoU of that image, 0..1, over the classes in its mask or label map; NaN
        where its mask holds nothing but 255. Their mean is not the figure.

    Raises
    ------
    InputError
        Names the image that is missing in the store, damaged, or does not fit its mask.
    """
    matrix, mious = ConfusionMatrix(num_classes), {}
    for image_id, path in tqdm(masks.items(), desc=f"evaluate {store.kind}", unit="image"):
        own = ConfusionMatrix(num_classes)
        prediction, mask = store[image_id], read_mask(path)
        try:
            own.update(prediction, mask)
        except InputError as error:
            raise InputError(f"{store.path}: image {image_id!r}: {error}") from None
        matrix.merge(own)
        mious[image_id] = own.miou()
    return matrix, mious


def write_mious(path: Path | str, mious: Mapping[str, float]) -> None:
    """Write image_id and miou (percent, empty for NaN) as CSV, in the order given."""
    rows = [[name, "" if v != v else f"{100 * v:.2f}"] for name, v in mious.items()]  # NaN != NaN
    _write_csv(path, ["image_id", "miou"], rows)


def write_confusion(path: Path | str, matrix: ConfusionMatrix, classes: Sequence[str]) -> None:
    """Write counts of pixels as CSV: a row per true class, a column per predicted class.

    The first column names the row's class, the last one counts pixels predicted as unknown.
    """
    names = ["background", *classes]
    rows = [[name, *counts] for name, counts in zip(names, matrix.counts.tolist(), strict=True)]
    _write_csv(path, ["truth", *names, "unknown"], rows)


def _write_csv(path: Path | str, header: list[str], rows: list[list]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
