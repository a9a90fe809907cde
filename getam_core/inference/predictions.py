"""The label maps of a split, predicted by a network, into stores."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from tqdm import tqdm

from getam_core.data import Entry, read_image
from getam_core.inference.prediction import Prediction, Predictor
from getam_core.processes import parallel_map
from getam_core.refine import crf_label_map
from getam_core.stores import StoreWriter


def predict_split(
    predictor: Predictor,
    entries: Sequence[Entry],
    plain: StoreWriter | None,
    smoothed: StoreWriter | None,
    *,
    recipe: str = "getam",
    workers: int = 1,
) -> None:
    """Write each image's label map at the size of its file, with class scores where there are any.

    Parameters
    ----------
    plain : StoreWriter or None
        Of kind "predictions"; gets the likeliest classes.
    smoothed : StoreWriter or None
        Of the same kind; gets those after a dense CRF.
    recipe : str
        Of the CRF, see `crf_label_map`.
    workers : int
        Processes for the CRF, while the network goes on with the next images; 1 stays in this one.
    """
    predicted = _predicted(predictor, entries, plain)
    if smoothed is None:
        deque(predicted, maxlen=0)  # to its end
        return
    scores: deque[dict[str, np.ndarray]] = deque()  # of the images that are with the CRF

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for image, prediction in predicted:
            scores.append(prediction.attributes())
            yield image, prediction.probabilities.cpu().numpy()

    names = [entry.image_id for entry in entries]
    smooth = partial(crf_label_map, recipe=recipe)
    label_maps = parallel_map(smooth, pairs(), workers, names)
    for entry, labels in zip(entries, label_maps, strict=True):
        smoothed.write(entry.image_id, labels, **scores.popleft())


def _predicted(
    predictor: Predictor, entries: Sequence[Entry], plain: StoreWriter | None
) -> Iterator[tuple[np.ndarray, Prediction]]:
    """Predict the images one after another, and write what needs no CRF."""
    for entry in tqdm(entries, "predict", unit="image"):
        image = read_image(entry.image)
        prediction = predictor(image)
        if plain is not None:
            plain.write(entry.image_id, prediction.label_map(), **prediction.attributes())
        yield image, prediction
