"""Labels by the trained network for images whose classes are known, for a second round.

Shapes: C foreground classes, K of them in an image, H, W pixels.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from getam_core.classes import BACKGROUND
from getam_core.data import Entry
from getam_core.inference.prediction import Predictor, on_cpu
from getam_core.inference.predictions import Unsmoothed, segmented
from getam_core.inference.reading import in_order
from getam_core.processes import Workers
from getam_core.refine import crf_label_map
from getam_core.stores import StoreWriter


@dataclass(frozen=True)
class Unlabelled(Unsmoothed):
    """The inputs of a label map; `planes` are its candidate classes, 0 for the background."""

    planes: list[int]


def label_split(
    predictor: Predictor,
    entries: Sequence[Entry],
    writer: StoreWriter,
    *,
    classes: Sequence[str],
    recipe: str | None,
    workers: Workers,
) -> None:
    """Label images by the likeliest of background and their own classes, at the file's size.

    Parameters
    ----------
    writer : StoreWriter
        Of kind "labels".
    classes : sequence of str
        Names of the C foreground classes.
    recipe : str or None
        Of the dense CRF that follows, see `crf_label_map`; None for no CRF.
    workers : Workers
        Processes that make the label maps while the network runs on the next images.
    """
    places: deque[int] = deque()  # of the images sent to the workers

    def sent() -> Iterator[Unlabelled]:
        for place, viewed, views in segmented(predictor, entries):
            places.append(place)
            own = (1 + classes.index(name) for name in viewed.entry.classes)
            yield Unlabelled(
                viewed.entry.image_id,
                viewed.image,
                [on_cpu(view) for view in views],
                [BACKGROUND, *own],
            )

    label = partial(_label, predictor=type(predictor), recipe=recipe)
    label_maps = workers.map(label, sent(), lambda given: given.image_id)
    made = ((places.popleft(), labels) for labels in label_maps)
    shown = tqdm(made, "network labels", len(entries), unit="image")
    for entry, labels in zip(entries, in_order(shown), strict=True):
        writer.write(entry.image_id, labels)


def of_classes(probabilities: Tensor, planes: Sequence[int]) -> Tensor:
    """Return some of C + 1 planes of probabilities, (K + 1, H, W), rescaled to sum 1."""
    own = probabilities[list(planes)]
    return own / own.sum(0, keepdim=True).clamp_min(torch.finfo(own.dtype).tiny)


def _label(given: Unlabelled, predictor: type[Predictor], recipe: str | None) -> np.ndarray:
    """Return the label map (H, W) uint8."""
    probabilities = predictor.probabilities(given.views, given.image.shape[:2])
    own = of_classes(probabilities, given.planes).numpy()
    if recipe is None or len(given.planes) == 1:
        winner = own.argmax(0)
    else:
        winner = crf_label_map((given.image, own), recipe)
    return np.array(given.planes, np.uint8)[winner]
