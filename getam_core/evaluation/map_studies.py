"""GETAM's own choices against each other, by the seeds of one network: fusion (Fig. 7), blocks.

Each variant's maps are made afresh, and stored only until they are scored.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import nn

from getam_core.activation import METHODS
from getam_core.activation.fusion import FUSIONS
from getam_core.activation.getam import COUPLINGS
from getam_core.data import Entry
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.evaluation.seeds import seed_curve
from getam_core.inference.maps import export_maps
from getam_core.stores import Store, StoreWriter, open_store, read_maps

BLOCKS = (1, 3, 6, 12)
BINS = np.linspace(0, 1, 41)

Curve = list[tuple[float, ConfusionMatrix]]


def map_variants(study: str, own: Mapping[str, Any], depth: int) -> dict[str, dict[str, Any]]:
    """Return the variants of one study, by name: arguments of `getam`.

    Parameters
    ----------
    study : {"fusion", "blocks"}
        "fusion": the three of Fig. 7. "blocks": the last 1, 3, 6, 12, where the network has more,
        and all, by both couplings.
    own : mapping
        The run's coupling, blocks and fusion, of which the study changes some.
    depth : int
        Blocks of the network.
    """
    if study == "fusion":
        return {fusion: {**own, "fusion": fusion} for fusion in FUSIONS}
    counts = sorted({count for count in BLOCKS if count < depth} | {depth})
    return {
        f"{coupling}, last {count}": {**own, "coupling": coupling, "blocks": count}
        for coupling in COUPLINGS
        for count in counts
    }


def evaluate_maps(
    network: nn.Module,
    entries: Sequence[Entry],
    masks: Mapping[str, Path],
    variants: Mapping[str, Mapping[str, Any]],
    *,
    classes: Sequence[str],
    **exporting: Any,
) -> dict[str, tuple[Curve, np.ndarray]]:
    """Make the images' maps by every variant and compare them with their masks.

    Parameters
    ----------
    masks : mapping of image_id to Path
        Of all `entries`.
    variants : mapping of name to arguments of `getam`
    classes, **exporting
        Arguments of `export_maps`.

    Returns
    -------
    dict of (curve, histogram)
        By variant: what `seed_curve` and `value_histogram` return.
    """
    made = {}
    with TemporaryDirectory() as folder:
        for number, (name, arguments) in enumerate(variants.items()):
            path = Path(folder, f"{number}.h5")
            with StoreWriter(path, "maps", classes, {"getam": dict(arguments)}) as writer:
                method = partial(METHODS["getam"], **arguments)
                export_maps(method, network, entries, writer, classes=classes, **exporting)
            store = open_store(path, "maps")
            made[name] = seed_curve(store, masks, len(classes) + 1), value_histogram(store, masks)
            path.unlink()
    return made


def value_histogram(maps: Store, image_ids: Sequence[str] | Mapping[str, Any]) -> np.ndarray:
    """Return the share of map values in each of 40 bins over 0..1, maps scaled to maximum 1."""
    counts = sum(np.histogram(read_maps(maps, name).maps, BINS)[0] for name in image_ids)
    return counts / max(np.sum(counts), 1)
