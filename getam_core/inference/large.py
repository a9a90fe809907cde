"""Images that do not fit in one pass: the network sees tiles, and labels are made row by row.

The (C + 1, H, W) logits of the whole image never exist: 20,000 x 20,000 pixels and 20 classes
would take 34 GB.

Shapes: H, W pixels of the image, h, w of a view, as in `prediction`.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from getam_core.errors import InputError
from getam_core.inference.prediction import Predictor, label_map, mean_scores
from getam_core.inference.tiles import blended_bands
from getam_core.refine import crf_label_map
from getam_core.resizing import resize_tensor

TILE = 1024  # pixels; the network sees no more at a time by default
MOST_BYTES = 2**30  # of an image's probabilities: 12.8 megapixels of 21 channels
MOST_BYTES_CRF = 2**29  # less: several images wait for the CRF at a time
STRIP = 2**19  # pixels of the image whose probabilities are in memory at a time
CRF_SIDE, CRF_MARGIN = 512, 96  # pixels: the CRF sees a block and the margin around it


class Plane:
    """One view's logits at the image's size, made from top to bottom.

    A view of at most `tile` pixels per side is segmented whole, a larger one in tiles.

    Attributes
    ----------
    scores : (C,) Tensor or None
        The highest class logits of any tile so far: a class in any tile is in the image.
    """

    def __init__(
        self, predictor: Predictor, view: np.ndarray, size: tuple[int, int], tile: int
    ) -> None:
        self.predictor, self.size = predictor, size
        self.height = view.shape[0]
        overlap = tile // 8 // predictor.step * predictor.step + predictor.extra
        self.scores: Tensor | None = None
        side = tile + predictor.extra
        self.bands = blended_bands(self._segment, view, side=side, overlap=overlap)
        self.ready: deque[tuple[int, Tensor]] = deque()  # first row of a band, the band
        self.made = 0  # rows

    def _segment(self, view: np.ndarray) -> Tensor:
        made = self.predictor.segment(view)
        if made.scores is not None:
            highest = made.scores if self.scores is None else self.scores
            self.scores = torch.maximum(highest, made.scores)
        return self.predictor.enlarged(made.logits, made.size)

    def rows(self, start: int, stop: int) -> Tensor:
        """Return the logits of the image's rows start..stop, (F, C + 1, stop - start, W).

        They are interpolated as `resize_tensor` does. `start` must not decrease from call to call.
        """
        H, W = self.size
        position = (torch.arange(start, stop) + 0.5) * (self.height / H) - 0.5
        position = position.clamp(0, self.height - 1)
        low = position.long()
        high = (low + 1).clamp(max=self.height - 1)
        window = self._window(int(low[0]), int(high[-1]) + 1)
        window = resize_tensor(window, (window.shape[-2], W))
        above, below = window[..., low - low[0], :], window[..., high - low[0], :]
        return torch.lerp(above, below, (position - low)[:, None])

    def _window(self, start: int, stop: int) -> Tensor:
        """Return the view's rows start..stop; bands above are dropped, missing ones computed."""
        while self.ready and self.ready[0][0] + self.ready[0][1].shape[-2] <= start:
            self.ready.popleft()
        while self.made < stop:
            band = next(self.bands)
            self.ready.append((self.made, band))
            self.made += band.shape[-2]
        parts = [band[..., max(0, start - at) : stop - at, :] for at, band in self.ready]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)


def fits(
    predictor: Predictor, views: Sequence[np.ndarray], tile: int, probabilities: int, crf: bool
) -> bool:
    """Whether an image is small enough for one pass.

    No side of a view may exceed a tile's, and `probabilities`, the bytes of its (C + 1, H, W)
    float32 probabilities, must not exceed `MOST_BYTES`, or with a CRF `MOST_BYTES_CRF`.
    """
    longest = max(side for view in views for side in view.shape[:2])
    most = MOST_BYTES_CRF if crf else MOST_BYTES
    return longest <= tile + predictor.extra and probabilities <= most


def default_tile(predictor: Predictor) -> int:
    """Return the largest multiple of the network's stride up to `TILE`."""
    return TILE // predictor.step * predictor.step


def check_tile(predictor: Predictor, tile: int) -> None:
    """Raise `InputError` unless tiles of this side suit the network."""
    if tile < 8 * predictor.step or tile % predictor.step:
        raise InputError(
            f"tile {tile}: expected a multiple of {predictor.step}, the network's stride, and at"
            f" least {8 * predictor.step}; the default is {default_tile(predictor)}"
        )


@torch.no_grad()
def predict_large(
    predictor: Predictor,
    views: Sequence[np.ndarray],
    image: np.ndarray,
    *,
    tile: int,
    crf: str | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the label map (H, W) uint8 and the class logits (C,), if there are any.

    Parameters
    ----------
    views : sequence of ndarray
        Of `predictor.views(image)`.
    image : (H, W, 3) uint8 ndarray
        RGB.
    tile : int
        Side of what the network sees at a time, in pixels of a view.
    crf : str, optional
        One of `RECIPES`: smooth by this dense CRF, in blocks of 512 px and a margin of 96 px.
    """
    H, W = image.shape[:2]
    planes = [Plane(predictor, view, (H, W), tile) for view in views]
    labels = np.empty((H, W), np.uint8)
    strip, margin = (CRF_SIDE, CRF_MARGIN) if crf else (max(1, STRIP // W), 0)
    with tqdm(total=H, desc="rows", unit="row", leave=False) as progress:
        for start in range(0, H, strip):
            rows = slice(max(0, start - margin), min(start + strip + margin, H))
            probabilities = predictor.merge([plane.rows(rows.start, rows.stop) for plane in planes])
            made = _smoothed(image[rows], probabilities, crf) if crf else label_map(probabilities)
            stop = min(start + strip, H)
            labels[start:stop] = made[start - rows.start : stop - rows.start]
            progress.update(stop - start)
    return labels, mean_scores([plane.scores for plane in planes])


def _smoothed(image: np.ndarray, probabilities: Tensor, recipe: str) -> np.ndarray:
    """Return the labels of some rows after a dense CRF, block by block."""
    labels = np.empty(image.shape[:2], np.uint8)
    width = image.shape[1]
    for start in range(0, width, CRF_SIDE):
        columns = slice(max(0, start - CRF_MARGIN), min(start + CRF_SIDE + CRF_MARGIN, width))
        block = image[:, columns], probabilities[..., columns].cpu().numpy()
        made = crf_label_map(block, recipe)
        labels[:, start : start + CRF_SIDE] = made[:, start - columns.start :][:, :CRF_SIDE]
    return labels
