"""The images that a report shows, gathered from a run's stores."""

from collections.abc import Mapping, Sequence

import numpy as np

from getam_core.data import Entry, evenly, read_image
from getam_core.report.pictures import Example
from getam_core.stores import Store, read_maps


def training_example(
    entry: Entry,
    *,
    classes: Sequence[str],
    maps: Mapping[str, Store],
    saliency: Store | None,
    labels: Store,
    mask: np.ndarray | None,
) -> Example:
    """Gather one training image: its maps by every method, saliency, pseudo label and mask."""
    stored = {method: read_maps(store, entry.image_id) for method, store in maps.items()}
    class_ids = next(iter(stored.values())).class_ids
    return Example(
        entry.image_id,
        read_image(entry.image),
        classes={int(k): classes[k - 1] for k in class_ids},
        maps={method: found.maps for method, found in stored.items()},
        saliency=None if saliency is None else saliency[entry.image_id],
        pseudo_label=labels[entry.image_id],
        mask=mask,
    )


def predicted_example(
    entry: Entry, *, classes: Sequence[str], predictions: Store, mask: np.ndarray | None
) -> Example:
    """Gather one image that training did not see: prediction, mask, and the classes of both."""
    prediction = predictions[entry.image_id]
    drawn = prediction if mask is None else np.concatenate([prediction, mask], axis=None)
    shown = [k for k in np.unique(drawn) if 1 <= k <= len(classes)]
    return Example(
        entry.image_id,
        read_image(entry.image),
        classes={int(k): classes[k - 1] for k in shown},
        prediction=prediction,
        mask=mask,
    )


def worth_showing(entries: Sequence[Entry], count: int) -> list[Entry]:
    """Choose images evenly over the list, preferring those of several classes: they show the most.

    The choice depends only on image-level labels, so nobody picks the pretty ones.
    """
    several = [entry for entry in entries if len(entry.classes) > 1]
    return evenly(several if len(several) >= count else entries, count)
