"""Counts of one shard of a split, in a file; those of all shards add up to the split's."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from getam_core.errors import InputError
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.files import atomic_path


def write_counts(
    path: Path | str,
    ids: Sequence[str],
    matrices: Sequence[ConfusionMatrix],
    mious: Mapping[str, float] | None = None,
) -> None:
    """Write matrices over the same images as an uncompressed .npz file.

    Parameters
    ----------
    ids : sequence of str
        The images, in the order of the list.
    matrices : sequence of ConfusionMatrix
        One for label maps; for maps, one per threshold.
    mious : mapping, optional
        image_id to the mIoU of that image, 0..1 or NaN.
    """
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            ids=np.array(ids, str),
            counts=np.stack([matrix.counts for matrix in matrices]),
            mious=np.array([mious[image_id] for image_id in ids] if mious else [], np.float64),
        )


def read_counts(
    paths: Sequence[Path], ids: Sequence[str]
) -> tuple[list[ConfusionMatrix], dict[str, float]]:
    """Add up what `write_counts` wrote.

    Parameters
    ----------
    paths : sequence of Path
        At least one; in the order of their images.
    ids : sequence of str
        All images.

    Returns
    -------
    matrices, mious
        As they were written, over all images.

    Raises
    ------
    InputError
        The files do not hold exactly these images, in this order.
    """
    total: np.ndarray | None = None
    counted: list[str] = []
    mious: dict[str, float] = {}
    for path in paths:
        with np.load(path) as parts:  # pickles are refused by default
            own = parts["ids"].tolist()
            total = parts["counts"] if total is None else total + parts["counts"]
            counted += own
            if len(parts["mious"]):
                mious |= dict(zip(own, parts["mious"].tolist(), strict=True))
    if counted != list(ids):
        raise InputError(
            f"{paths[0]} and those after it: counts of {len(counted)} images do not match the"
            f" {len(ids)} listed images in order; count them again"
        )
    assert total is not None
    return [_matrix(matrix, len(counted)) for matrix in total], mious


def _matrix(counts: np.ndarray, images: int) -> ConfusionMatrix:
    matrix = ConfusionMatrix(len(counts))
    matrix.counts += counts
    matrix.images = images
    return matrix
