"""Labels that the trained network makes of images whose classes are known: a second round's.

Shapes: C foreground classes, K of them in an image, H, W pixels.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from getam_core.classes import BACKGROUND
from getam_core.data import Entry, read_image
from getam_core.inference.prediction import Predictor
from getam_core.processes import parallel_map
from getam_core.refine import crf_label_map
from getam_core.stores import StoreWriter

Given = tuple[np.ndarray, np.ndarray, list[int]]  # image, probabilities, planes' classes


def label_split(
    predictor: Predictor,
    entries: Sequence[Entry],
    writer: StoreWriter,
    *,
    classes: Sequence[str],
    recipe: str | None,
    workers: int = 1,
) -> None:
    """Write each image's likeliest of the background and its own classes, at the file's size.

    Parameters
    ----------
    writer : StoreWriter
        Of kind "labels".
    classes : sequence of str
        Names of the C foreground classes.
    recipe : str or None
        Of the dense CRF that follows, see `crf_label_map`; None for none.
    workers : int
        Processes for it; 1 stays in this one.
    """

    def predicted() -> Iterator[Given]:
        for entry in tqdm(entries, "network labels", unit="image"):
            image = read_image(entry.image)
            planes = [BACKGROUND, *(1 + classes.index(name) for name in entry.classes)]
            own = of_classes(predictor(image).probabilities, planes)
            yield image, own.cpu().numpy(), planes

    label_maps = parallel_map(partial(_label, recipe=recipe), predicted(), workers)
    for entry, labels in zip(entries, label_maps, strict=True):
        writer.write(entry.image_id, labels)


def of_classes(probabilities: Tensor, planes: Sequence[int]) -> Tensor:
    """Return the probabilities (K + 1, H, W) of some of C + 1 planes, with sum 1 again."""
    own = probabilities[list(planes)]
    return own / own.sum(0, keepdim=True).clamp_min(torch.finfo(own.dtype).tiny)


def _label(given: Given, recipe: str | None) -> np.ndarray:
    """Return the label map (H, W) uint8."""
    image, probabilities, planes = given
    if recipe is None or len(planes) == 1:
        winner = probabilities.argmax(0)
    else:
        winner = crf_label_map((image, probabilities), recipe)
    return np.array(planes, np.uint8)[winner]
