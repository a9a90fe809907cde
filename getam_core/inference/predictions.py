"""The label maps of a split, predicted by the segmentation head, into a store."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from torch import nn
from tqdm import tqdm

from getam_core.data import Entry, read_image
from getam_core.inference.segmentation import label_map, segment_image
from getam_core.processes import parallel_map
from getam_core.stores import StoreWriter

Segmented = tuple[np.ndarray, np.ndarray, np.ndarray]  # image, probabilities, class scores


def predict_split(
    network: nn.Module,
    entries: Sequence[Entry],
    writer: StoreWriter,
    *,
    sizes: Sequence[int | None],
    flip: bool,
    crf: bool,
    workers: int = 1,
) -> None:
    """Write each image's label map at the size of its file, with the class scores beside it.

    Parameters
    ----------
    sizes, flip, crf
        As in `segment_image` and `label_map`.
    workers : int
        Processes for the CRF, while the network goes on with the next images.
    """
    network.eval()

    def segmented() -> Iterator[Segmented]:
        for entry in entries:
            image = read_image(entry.image)
            yield image, *segment_image(network, image, sizes=sizes, flip=flip)

    work = partial(_label, crf=crf)
    names = [entry.image_id for entry in entries]
    results = parallel_map(work, segmented(), workers if crf else 1, names)
    for entry, (labels, scores) in zip(
        entries, tqdm(results, "predict", len(entries), unit="image"), strict=True
    ):
        writer.write(entry.image_id, labels, scores=scores)


def _label(segmented: Segmented, crf: bool) -> tuple[np.ndarray, np.ndarray]:
    image, probabilities, scores = segmented
    return label_map(image, probabilities, crf=crf), scores
