"""How far two label maps of one image agree."""

import numpy as np

from getam_core.classes import BACKGROUND, IGNORE


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of equal pixels among those to which either map gives a class, 0..1.

    Pixels that both call background are left out, since they would dominate the share. So are
    pixels that either calls unknown (255). 1 if no pixel is left.

    Parameters
    ----------
    first, second : (H, W) ndarray of int
        0 background, 1..C classes, 255 unknown.
    """
    known = (first != IGNORE) & (second != IGNORE)
    counted = known & ((first != BACKGROUND) | (second != BACKGROUND))
    count = np.count_nonzero(counted)
    return np.count_nonzero(counted & (first == second)) / count if count else 1.0
