"""How good saliency maps are: mean absolute error, maximum F-measure, structure measure."""

import numpy as np

from getam_core.saliency.structure import structure_measure

BETA2 = 0.3  # precision counts more than recall, the field's convention (Achanta et al. 2009)


class SaliencyScore:
    """Sums over images; every image counts the same.

    Notes
    -----
    The F-measure's curve over the 256 thresholds is averaged over the images; then its maximum is
    taken. An image without foreground in its mask has F = 0. The structure measure uses maps
    unchanged, in 0..1, not stretched to that range.
    """

    def __init__(self) -> None:
        self.images = 0
        self._error = self._structure = 0.0
        self._curve = np.zeros(256)

    def update(self, saliency: np.ndarray, mask: np.ndarray) -> None:
        """Add one image: saliency (H, W) uint8 0..255, mask (H, W) bool."""
        self.images += 1
        self._error += np.abs(saliency / 255 - mask).mean()
        self._structure += structure_measure(saliency / 255, mask)
        self._curve += _f_measure(saliency, mask)

    def compute(self) -> dict[str, float]:
        """Return `mae`, `max_f`, `s_measure`, the best `threshold` (all 0..1) and the `images`."""
        curve = self._curve / max(self.images, 1)
        return {
            "mae": float(self._error / max(self.images, 1)),
            "max_f": float(curve.max()),
            "s_measure": float(self._structure / max(self.images, 1)),
            "threshold": int(curve.argmax()) / 255,
            "images": self.images,
        }


def _f_measure(saliency: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """F of `saliency >= t` for t = 0..255, (256,)."""
    hits = _at_least(saliency[mask])
    chosen = _at_least(saliency.ravel())
    # P = hits / chosen and R = hits / positives, in a form without 0 / 0.
    return (1 + BETA2) * hits / np.maximum(BETA2 * mask.sum() + chosen, 1e-12)


def _at_least(values: np.ndarray) -> np.ndarray:
    """Return how many values are >= t, for t = 0..255."""
    return np.bincount(values, minlength=256)[::-1].cumsum()[::-1]
