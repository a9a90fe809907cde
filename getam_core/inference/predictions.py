"""The label maps of a split, predicted by a network and written to stores."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

import numpy as np
from tqdm import tqdm

from getam_core.data import Entry, read_image
from getam_core.inference.batches import readers
from getam_core.inference.prediction import (
    Predictor,
    ViewPrediction,
    attributes,
    label_map,
    of_all,
    on_cpu,
)
from getam_core.inference.reading import batches_alike, in_order, read_ahead
from getam_core.processes import Workers
from getam_core.refine import crf_label_map
from getam_core.stores import StoreWriter

BATCH_SIZE = 8  # images, each in every size


@dataclass(frozen=True)
class Viewed:
    """An image of the list, in all test sizes; (H, W, 3) uint8 RGB each."""

    entry: Entry
    image: np.ndarray
    views: list[np.ndarray]

    @property
    def nbytes(self) -> int:
        """Bytes of the image and its views."""
        return self.image.nbytes + sum(view.nbytes for view in self.views)


@dataclass(frozen=True)
class Unsmoothed:
    """The input of the CRF, in host memory: an image, and logits that take no more space."""

    image_id: str
    image: np.ndarray
    views: list[ViewPrediction]


@dataclass(frozen=True)
class Predicted:
    """The results for one image; label maps are (H, W) uint8."""

    image_id: str
    attributes: dict[str, np.ndarray]
    plain: np.ndarray | None = None
    smoothed: np.ndarray | None = None


def predict_split(
    predictor: Predictor,
    entries: Sequence[Entry],
    plain: StoreWriter | None,
    smoothed: StoreWriter | None,
    *,
    recipe: str = "getam",
    workers: Workers,
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
    workers : Workers
        For the CRF, while the network runs on the next images.
    """
    seen = segmented(predictor, entries)
    if smoothed is None:
        made = _labelled(predictor, seen)
    else:
        smooth = partial(_smoothed, predictor=type(predictor), recipe=recipe)
        also = predictor if plain is not None else None
        made = _with_crf(seen, smooth, workers, also)
    for one in in_order(tqdm(made, "predict", len(entries), unit="image")):
        for writer, labels in ((plain, one.plain), (smoothed, one.smoothed)):
            if writer is not None:
                writer.write(one.image_id, labels, **one.attributes)


Segmented = tuple[int, Viewed, list[ViewPrediction]]  # place, image, predictions


def segmented(predictor: Predictor, entries: Sequence[Entry]) -> Iterator[Segmented]:
    """Run the network on batches of images with views of the same shapes; order is not kept."""

    def read(entry: Entry) -> Viewed:
        image = read_image(entry.image)
        return Viewed(entry, image, predictor.views(image))

    batches = batches_alike(
        read_ahead(read, entries, readers()),
        BATCH_SIZE,
        alike=lambda viewed: tuple(view.shape for view in viewed.views),
        nbytes=attrgetter("nbytes"),
    )
    for batch in batches:
        of_sizes = zip(*(viewed.views for _, viewed in batch), strict=True)
        made = [predictor.segment_alike(views) for views in of_sizes]
        for (place, viewed), views in zip(batch, zip(*made, strict=True), strict=True):
            yield place, viewed, list(views)


def _plain(predictor: Predictor, viewed: Viewed, views: list[ViewPrediction]) -> np.ndarray:
    return label_map(predictor.probabilities(views, viewed.image.shape[:2]))


def _labelled(
    predictor: Predictor, segmented: Iterable[Segmented]
) -> Iterator[tuple[int, Predicted]]:
    for place, viewed, views in segmented:
        known, labels = attributes(*of_all(views)), _plain(predictor, viewed, views)
        yield place, Predicted(viewed.entry.image_id, known, labels)


def _with_crf(
    segmented: Iterable[Segmented],
    smooth: "partial[np.ndarray]",
    workers: Workers,
    predictor: Predictor | None,
) -> Iterator[tuple[int, Predicted]]:
    """Smooth in processes; with a `predictor`, also make label maps without the CRF, here."""
    waiting: deque[tuple[int, Predicted]] = deque()  # of the images sent to the CRF

    def sent() -> Iterator[Unsmoothed]:
        for place, viewed, views in segmented:
            labels = None if predictor is None else _plain(predictor, viewed, views)
            image_id = viewed.entry.image_id
            waiting.append((place, Predicted(image_id, attributes(*of_all(views)), labels)))
            yield Unsmoothed(image_id, viewed.image, [on_cpu(view) for view in views])

    for labels in workers.map(smooth, sent(), attrgetter("image_id")):
        place, one = waiting.popleft()
        yield place, replace(one, smoothed=labels)


def _smoothed(sent: Unsmoothed, predictor: type[Predictor], recipe: str) -> np.ndarray:
    probabilities = predictor.probabilities(sent.views, sent.image.shape[:2])
    return crf_label_map((sent.image, probabilities.numpy()), recipe)
