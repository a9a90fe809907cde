"""Fully connected CRF (Krähenbühl and Koltun 2011) through pydensecrf."""

from types import ModuleType
from typing import Any

import numpy as np

from getam_core.errors import InputError
from getam_core.extras import needs

RECIPES: dict[
    str, dict[str, Any]
] = {  # the authors' test settings: GETAM's are the defaults, AFA's are from Ru et al. 2022
    "getam": {},
    "afa": {"iterations": 10, "gaussian": (3, 3), "bilateral": (64, 5, 4)},
}


def dense_crf(
    image: np.ndarray,
    probabilities: np.ndarray,
    *,
    iterations: int = 20,
    gaussian: tuple[float, float] = (3, 3),
    bilateral: tuple[float, float, float] = (83, 5, 4),
) -> np.ndarray:
    """Smooth class probabilities within areas of similar colour (authors' test setting).

    Parameters
    ----------
    image : (H, W, 3) uint8 ndarray
        RGB.
    probabilities : (C, H, W) ndarray
        Class probabilities, sum 1 over C (background included).
    iterations : int
        Mean-field iterations.
    gaussian : (sxy, compat)
        Smoothness kernel: standard deviation in pixels, strength.
    bilateral : (sxy, srgb, compat)
        Appearance kernel: standard deviations in pixels and in grey levels, strength.

    Returns
    -------
    (C, H, W) float32 ndarray
        Probabilities after mean-field inference.

    Raises
    ------
    InputError
        When the two shapes do not agree, or pydensecrf is not installed.

    Notes
    -----
    One process uses one core: parallelise over images.
    """
    C, H, W = probabilities.shape
    if image.shape != (H, W, 3) or image.dtype != np.uint8:
        raise InputError(
            f"dense_crf: image {image.dtype} {image.shape} does not agree with probabilities "
            f"{probabilities.shape}: give uint8 (H, W, 3) and (C, H, W)"
        )
    crf = _densecrf().DenseCRF2D(W, H, C)
    energy = -np.log(np.clip(probabilities.astype(np.float32), 1e-8, 1))
    crf.setUnaryEnergy(np.ascontiguousarray(energy.reshape(C, H * W)))
    sxy, compat = gaussian
    crf.addPairwiseGaussian(sxy=sxy, compat=compat)
    sxy, srgb, compat = bilateral
    crf.addPairwiseBilateral(sxy=sxy, srgb=srgb, rgbim=np.ascontiguousarray(image), compat=compat)
    return np.array(crf.inference(iterations), np.float32).reshape(C, H, W)


def crf_label_map(pair: tuple[np.ndarray, np.ndarray], recipe: str = "getam") -> np.ndarray:
    """Return the likeliest classes, (H, W) uint8, after `dense_crf(image, probabilities)`.

    The two arrays come as a pair because a worker process takes one item. `recipe` is one of
    `RECIPES`, the test settings of the methods.
    """
    return dense_crf(*pair, **RECIPES[recipe]).argmax(axis=0).astype(np.uint8)


def crf_maps(
    image: np.ndarray, maps: np.ndarray, *, gamma: float, iterations: int = 10
) -> np.ndarray:
    """Smooth maps, together with a background of given strength, by a dense CRF.

    Parameters
    ----------
    image : (H, W, 3) uint8 ndarray
        RGB.
    maps : (K, H, W) ndarray
        Non-negative; each is divided by its maximum here.
    gamma : float
        Exponent of the background score `(1 - max_c M_c)^gamma` (Sun et al. 2021, 4.2). The
        probabilities are all scores divided by their sum.
    iterations : int
        Mean-field iterations.

    Returns
    -------
    (K + 1, H, W) float32 ndarray
        Probabilities after inference, sum 1; the background comes first.
    """
    maps = np.asarray(maps, np.float32)
    maximum = maps.max(axis=(1, 2), initial=0)
    maps = maps / np.where(maximum > 0, maximum, 1)[:, None, None]
    background = (1 - maps.max(axis=0, initial=0)) ** gamma
    scores = np.concatenate([background[None], maps])
    return dense_crf(image, scores / scores.sum(axis=0), iterations=iterations)


def _densecrf() -> ModuleType:
    """Import pydensecrf only when used: it must be compiled, and all else works without it."""
    with needs("crf", "the dense CRF (or switch it off)"):
        import pydensecrf.densecrf
    return pydensecrf.densecrf
