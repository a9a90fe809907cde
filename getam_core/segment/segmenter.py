"""A trained network that segments pictures: a checkpoint, and how it is used.

Shapes: C foreground classes, (H, W) pixels of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from getam_core.checkpoint import load_checkpoint
from getam_core.errors import InputError, check_name
from getam_core.inference.deeplab import DeepLab
from getam_core.inference.large import check_tile, default_tile, fits, predict_large
from getam_core.inference.prediction import Prediction, Predictor
from getam_core.inference.single_stage import SingleStage
from getam_core.networks.checkpoint import load_network
from getam_core.refine.crf import RECIPES, dense_crf
from getam_core.segment.pictures import as_pixels


@dataclass(frozen=True)
class Segmentation:
    """A picture, segmented."""

    labels: np.ndarray  # (H, W) uint8: 0 background, class k is `classes[k - 1]`
    scores: np.ndarray | None  # (C,) float32, probability that a class is shown; None for DeepLabv2
    probabilities: np.ndarray | None  # (C + 1, H, W) float32, background first; None if too large


class Segmenter:
    """Segments pictures of any size.

    Parameters
    ----------
    predictor : Predictor
    classes : sequence of str
        Names of the C foreground classes.
    crf : str, optional
        Smooth by a dense CRF: one of `getam_core.refine.crf.RECIPES`, "getam" or "afa".
    tile : int, optional
        Pixels, a multiple of the network's stride; by default the largest one up to 1024. A picture
        whose sides do not exceed it, at any size of the test, is segmented in one pass, as in the
        workflow, unless its probabilities take more than 1 GiB (with a CRF, half of that). Any
        other picture is segmented by tiles of this side, overlapping by an eighth, and has no
        `probabilities`.

    Attributes
    ----------
    settings : dict
        How it was loaded: what another run needs for the same results.
    """

    def __init__(
        self,
        predictor: Predictor,
        classes: Sequence[str],
        *,
        crf: str | None = None,
        tile: int | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        tile = default_tile(predictor) if tile is None else tile
        check_tile(predictor, tile)
        if crf is not None:
            check_name("CRF recipe", crf, RECIPES)
        self.predictor, self.classes = predictor, tuple(classes)
        self.crf, self.tile = crf, tile
        self.settings = (settings or {}) | {"crf": crf, "tile": tile}

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        sizes: Sequence[int | None] | None = None,
        scales: Sequence[float] | None = None,
        flip: bool = True,
        crf: str | None = None,
        tile: int | None = None,
        device: str = "auto",
    ) -> "Segmenter":
        """Read a run's `train/checkpoint.pt` or `deeplabv2/checkpoint.pt`.

        Parameters
        ----------
        path : Path or str
        sizes : sequence of int or None, optional
            Long sides in pixels over which the network's logits are averaged; None is a picture's
            own. By default the size that the network was built for (`model.image_size`).
        scales : sequence of float, optional
            The same for DeepLabv2: factors on a picture's sides, 1 by default.
        flip : bool
            Average over the mirrored picture too.
        crf, tile
            See `Segmenter`.
        device : str
            "auto" (a GPU if there is one), "cpu" or "cuda".

        Raises
        ------
        InputError
            The file is no such checkpoint, the options do not fit its network, or there is no GPU.
        """
        path = Path(path)
        content = load_checkpoint(path)
        on = _device(device)
        if "decode_head.classifiers.0.weight" in content.get("model", {}):
            predictor, settings = _deeplab(path, sizes, scales, flip, on)
        else:
            predictor, settings = _single_stage(path, content, sizes, scales, flip, on)
        return cls(predictor, content["classes"], crf=crf, tile=tile, settings=settings)

    def __call__(self, picture: np.ndarray | Image.Image | Path | str) -> Segmentation:
        """Segment a picture: a file, a PIL image, or an array (H, W, 3), uint8 RGB 0..255.

        Files and PIL images are turned upright as their EXIF orientation says.

        Raises
        ------
        InputError
            The picture cannot be read, or is no such array.
        """
        pixels = as_pixels(picture)
        made = self.before_crf(pixels)
        return made if self.crf is None else smoothed((pixels, made), self.crf)

    def before_crf(self, pixels: np.ndarray) -> Segmentation:
        """Segment (H, W, 3) uint8 RGB without the CRF; only a tiled picture already includes it."""
        views, size = self.predictor.views(pixels), pixels.shape[:2]
        probabilities = (len(self.classes) + 1) * size[0] * size[1] * np.float32().nbytes
        if fits(self.predictor, views, self.tile, probabilities, self.crf is not None):
            return _whole(self.predictor.from_views(views, size))
        labels, logits = predict_large(self.predictor, views, pixels, tile=self.tile, crf=self.crf)
        return Segmentation(labels, _probabilities(logits), None)


def smoothed(pair: tuple[np.ndarray, Segmentation], recipe: str) -> Segmentation:
    """Apply the dense CRF to a picture's segmentation; one by tiles already includes it."""
    pixels, made = pair
    if made.probabilities is None:
        return made
    probabilities = dense_crf(pixels, made.probabilities, **RECIPES[recipe])
    return Segmentation(probabilities.argmax(axis=0).astype(np.uint8), made.scores, probabilities)


def _whole(prediction: Prediction) -> Segmentation:
    probabilities = prediction.probabilities.cpu().numpy()
    return Segmentation(prediction.label_map(), _probabilities(prediction.scores), probabilities)


def _probabilities(logits: np.ndarray | None) -> np.ndarray | None:
    """Return the sigmoid of class logits, (C,): an image may show several classes."""
    return None if logits is None else torch.from_numpy(logits).sigmoid().numpy()


def _single_stage(
    path: Path,
    content: dict[str, Any],
    sizes: Sequence[int | None] | None,
    scales: Sequence[float] | None,
    flip: bool,
    device: torch.device,
) -> tuple[Predictor, dict[str, Any]]:
    if scales is not None:
        raise InputError(f"{path}: scales are for DeepLabv2; give this network sizes, in pixels")
    network = load_network(path)
    if not content.get("segments", True) or not hasattr(network, "classify_and_segment"):
        raise InputError(
            f"{path}: its network was trained to classify only, not to segment; give"
            " train/checkpoint.pt of a run that segments"
        )
    sizes = _built_for(content) if sizes is None else tuple(sizes)
    settings = {"sizes": list(sizes), "flip": flip}
    return SingleStage(network.to(device), sizes=sizes, flip=flip), settings


def _built_for(content: dict[str, Any]) -> tuple[int]:
    size = content["built_by"]["image_size"]
    return (size if isinstance(size, int) else max(size),)


def _deeplab(
    path: Path,
    sizes: Sequence[int | None] | None,
    scales: Sequence[float] | None,
    flip: bool,
    device: torch.device,
) -> tuple[Predictor, dict[str, Any]]:
    from getam_core.deeplab import load_deeplab  # mmsegmentation: slow to import, and an extra

    if sizes is not None:
        raise InputError(f"{path}: a DeepLabv2; give it scales, factors on a picture's sides")
    scales = (1.0,) if scales is None else tuple(scales)
    network = load_deeplab(path).network.to(device)
    return DeepLab(network, scales=scales, flip=flip), {"scales": list(scales), "flip": flip}


def _device(name: str) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InputError("device: cuda was requested, but torch finds no GPU; use auto or cpu")
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")
