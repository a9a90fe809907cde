"""What a store holds, in lines of text: counts, classes, a histogram of its values."""

import json
from collections import Counter
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.stores.maps import read_maps
from getam_core.stores.reader import Store

BAR = 30  # characters of the longest bar


def summary(store: Store) -> str:
    """Read a whole store and describe it.

    Returns
    -------
    str
        Kind, number of images and settings; then, for label maps and predictions, the images and
        the share of the pixels of every class; for maps, the images of every class; for saliency,
        the images and the share of the pixels in ten bins of 0..1.

    Raises
    ------
    InputError
        An image is damaged.
    """
    head = [
        f"{store.path}: {store.kind}, {len(store)} images",
        f"classes ({len(store.classes)}): {', '.join(store.classes)}",
        f"settings: {json.dumps(store.settings, indent=2)}",
    ]
    table = {"maps": _maps, "saliency": _saliency}.get(store.kind, _labels)(store)
    return "\n".join([*head, *table])


def _labels(store: Store) -> list[str]:
    images, pixels = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for image_id in _shown(store):
        counts = np.bincount(store[image_id].ravel(), minlength=256)
        pixels += counts
        images += counts > 0
    names = {BACKGROUND: "background", **dict(enumerate(store.classes, start=1)), IGNORE: "unknown"}
    shares = pixels / max(pixels.sum(), 1)
    shown = np.flatnonzero(pixels).tolist()
    rows = [(names.get(k, f"value {k}"), images[k], shares[k]) for k in shown]
    return ["pixels by class:", *_bars(rows)]


def _maps(store: Store) -> list[str]:
    images: Counter = Counter()
    for image_id in _shown(store):
        images.update(read_maps(store, image_id).class_ids.tolist())
    total = max(len(store), 1)
    rows = [(store.classes[k - 1], images[k], images[k] / total) for k in sorted(images)]
    return [f"maps: {images.total()}, images by class:", *_bars(rows)]


def _saliency(store: Store) -> list[str]:
    images, pixels = np.zeros(10, np.int64), np.zeros(10, np.int64)
    for image_id in _shown(store):
        counts = np.bincount(store[image_id].ravel(), minlength=256)
        in_bins = np.array([part.sum() for part in np.array_split(counts, 10)])
        pixels += in_bins
        images += in_bins > 0
    shares = pixels / max(pixels.sum(), 1)
    rows = [(f"{i / 10:.1f} to {(i + 1) / 10:.1f}", images[i], shares[i])
            for i in range(10)]  # fmt: skip
    return ["pixels by saliency:", *_bars(rows)]


def _shown(store: Store) -> Iterator[str]:
    """Yield the image_ids under a progress bar."""
    yield from tqdm(store.ids(), desc="summary", unit="image")


def _bars(rows: list[tuple[str, int, float]]) -> list[str]:
    """Return rows of (name, images, share) as aligned text with bars."""
    wide = max((len(name) for name, _, _ in rows), default=0)
    most = max((share for _, _, share in rows), default=0) or 1
    return [
        f"  {name:<{wide}}  {images:>6} images  {100 * share:6.2f} %  "
        + "#" * round(BAR * share / most)
        for name, images, share in rows
    ]
