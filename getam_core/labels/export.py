"""Label maps of a data set from its stored maps: no network, one process per core."""

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
from tqdm import tqdm

from getam_core.data import Entry
from getam_core.labels.inputs import read_label_inputs
from getam_core.labels.labelling import label_image
from getam_core.processes import Workers
from getam_core.stores import Store, StoreWriter


def export_labels(
    entries: Sequence[Entry],
    maps: Store,
    saliency: Store | None,
    writer: StoreWriter,
    *,
    saliency_threshold: float,
    workers: Workers,
    **labelling: Any,
) -> None:
    """Write the label map of every image at the size of its file.

    Parameters
    ----------
    saliency : Store or None
        Saliency 0..255; None for labels without saliency.
    saliency_threshold : float
        Pixels above this share of 255 are salient, unless `agreed_saliency` has thresholds.
    workers : Workers
        Processes that make the label maps.
    **labelling
        Arguments of `label_image`.
    """
    work = partial(
        _label_entry,
        maps=maps,
        saliency=saliency,
        threshold=None if labelling.get("agreed_saliency") else saliency_threshold,
        labelling=labelling,
    )
    results = workers.map(work, entries, attrgetter("image_id"))
    shown = tqdm(results, "labels", len(entries), unit="image")
    for entry, labels in zip(entries, shown, strict=True):
        writer.write(entry.image_id, labels)


def _label_entry(
    entry: Entry,
    maps: Store,
    saliency: Store | None,
    threshold: float | None,
    labelling: dict[str, Any],
) -> np.ndarray:
    given = read_label_inputs(entry, maps, saliency)
    salient = None if saliency is None else given.salient(threshold)
    return label_image(given.image, given.maps, given.class_ids, salient, **labelling).numpy()
