"""Labels on which two dense CRFs agree: the alternative to completion (paper, Table 2).

As in RRM (Zhang et al. 2020) and AffinityNet: a class that wins over a strong background is
reliable, and so is a weak background that wins; the rest is unknown.
"""

from collections.abc import Sequence

import numpy as np

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.errors import InputError
from getam_core.refine import crf_maps


def crf_labels(
    image: np.ndarray,
    maps: np.ndarray,
    class_ids: Sequence[int] | np.ndarray,
    *,
    gammas: tuple[float, float] = (32.0, 1000.0),
    iterations: int = 10,
) -> np.ndarray:
    """Keep the labels on which CRFs with a strong and a weak background agree.

    Parameters
    ----------
    image : (H, W, 3) uint8 ndarray
        RGB.
    maps : (K, H, W) ndarray
        Maps of the present classes, non-negative; each is divided by its maximum here.
    class_ids : (K,) ints
        Their classes, 1..C.
    gammas : (float, float)
        Exponents of the background scores `(1 - max_c M_c)^gamma` of the two CRFs.
    iterations : int
        Mean-field iterations of each CRF.

    Returns
    -------
    (H, W) uint8 ndarray
        0 background, 1..C, or 255 unknown. Without classes all is background.

    Raises
    ------
    InputError
        When shapes do not agree, or pydensecrf is not installed.
    """
    if maps.ndim != 3 or len(class_ids) != len(maps):
        raise InputError(
            f"crf_labels: maps {maps.shape} must be (K, H, W), with one of class_ids each; "
            f"there are {len(class_ids)} class_ids"
        )
    if not len(maps):
        return np.full(maps.shape[1:], BACKGROUND, np.uint8)
    one, other = (crf_maps(image, maps, gamma=g, iterations=iterations) for g in gammas)
    winner = one.argmax(axis=0)
    agreed = winner == other.argmax(axis=0)
    names = np.array([BACKGROUND, *class_ids], np.uint8)
    return np.where(agreed, names[winner], IGNORE).astype(np.uint8)
