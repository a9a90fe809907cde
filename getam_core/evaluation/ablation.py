"""Label settings against each other, from stored maps: no network, every image read once.

A sweep is a set of variants of the run's `pseudo_labels` section. What they share, the image, its
saliency and each refinement of its maps, is made once an image.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from getam_core.data import Entry, read_image
from getam_core.data.images import to_tensor
from getam_core.errors import InputError
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.evaluation.masks import read_mask
from getam_core.labels import label_refined, refine_maps
from getam_core.processes import parallel_map
from getam_core.stores import Store, read_maps

REFINING = ("refinement", "iterations", "scale", "gamma")  # what `refine_maps` depends on

Arguments = dict[str, Any]


def sweep_variants(
    sweep: str, base: Mapping[str, Any], grids: Mapping[str, Any]
) -> dict[str, Arguments]:
    """Return the variants of one sweep, by name, in the order in which they are shown.

    Parameters
    ----------
    sweep : {"alpha", "gamma", "refinement", "completion"}
        "completion" adds the parts of label completion one by one: the argmax alone, Eq. 4
        (saliency), Eq. 5 (mining; the lowest class wins), conflicts to unknown; and, instead of
        all, the labels of two CRFs on maps that are not refined (the paper's Table 2). Without
        saliency in `base` only the first and the last are left.
    base : mapping
        The section `pseudo_labels`.
    grids : mapping
        The values of "alpha" and "gamma".
    """
    if sweep in ("alpha", "gamma"):
        changes = {f"{value:g}": {sweep: value} for value in grids[sweep]}
    elif sweep == "refinement":
        changes = {name: {sweep: name} for name in ("none", "pamr", "par", "crf")}
    else:
        completion = {"method": "completion", "saliency": True}
        changes = {
            "argmax": {**completion, "saliency": False},
            "+ saliency": {**completion, "alpha": 1.0},
            "+ mining": {**completion, "conflicts": False},
            "+ conflicts": {**completion, "conflicts": True},
            "CRF labels": {"method": "crf", "refinement": "none", "saliency": False},
        }
    if sweep == "completion" and not base["saliency"]:
        changes = {name: change for name, change in changes.items() if not change["saliency"]}
    return {name: {**base, **change} for name, change in changes.items()}


def evaluate_variants(
    entries: Sequence[Entry],
    masks: Mapping[str, Path],
    maps: Store,
    saliency: Store | None,
    variants: Mapping[str, Arguments],
    *,
    workers: int = 1,
) -> dict[str, ConfusionMatrix]:
    """Label the images by every variant and compare with their masks.

    Parameters
    ----------
    masks : mapping of image_id to Path
        Of all `entries`.
    saliency : Store or None
        Needed if a variant uses saliency.
    variants : mapping of name to dict
        Each a whole section `pseudo_labels`.
    workers : int
        Processes.

    Raises
    ------
    InputError
        Names the image that is missing in a store, damaged, or does not fit its mask.
    """
    work = partial(_count, masks=masks, maps=maps, saliency=saliency, variants=variants)
    totals = {name: ConfusionMatrix(len(maps.classes) + 1) for name in variants}
    counted = tqdm(parallel_map(work, entries, workers), "ablation", len(entries), unit="image")
    for matrices in counted:
        for name, matrix in matrices.items():
            totals[name].merge(matrix)
    return totals


def _count(
    entry: Entry,
    masks: Mapping[str, Path],
    maps: Store,
    saliency: Store | None,
    variants: Mapping[str, Arguments],
) -> dict[str, ConfusionMatrix]:
    """One image's matrices."""
    image, stored = to_tensor(read_image(entry.image)), read_maps(maps, entry.image_id)
    grey = None if saliency is None else torch.from_numpy(saliency[entry.image_id])
    mask = read_mask(masks[entry.image_id])
    labels = _labels(
        image, torch.from_numpy(stored.maps), torch.from_numpy(stored.class_ids), grey, variants
    )
    matrices = {}
    for name, label_map in labels.items():
        matrices[name] = ConfusionMatrix(len(maps.classes) + 1)
        try:
            matrices[name].update(label_map, mask)
        except InputError as error:
            raise InputError(f"{maps.path}: image {entry.image_id!r}: {error}") from None
    return matrices


def _labels(
    image: Tensor,
    maps: Tensor,
    class_ids: Tensor,
    grey: Tensor | None,
    variants: Mapping[str, Arguments],
) -> dict[str, Tensor]:
    """One image's label map by every variant; what has been refined alike is refined once."""
    refined: dict[tuple, Tensor] = {}
    labels = {}
    for name, variant in variants.items():
        labelling = dict(variant)
        uses_saliency, threshold = labelling.pop("saliency"), labelling.pop("saliency_threshold")
        salient = grey > 255 * threshold if uses_saliency else None
        refining = {key: variant[key] for key in REFINING}
        if refining["refinement"] != "crf":
            del refining["gamma"]  # only the CRF has a background
        key = tuple(refining.items())
        if key not in refined:
            refined[key] = refine_maps(image[None], maps[None], **refining)[0]
        rest = {key: value for key, value in labelling.items() if key not in REFINING[:3]}
        labels[name] = label_refined(image, refined[key], class_ids, salient, **rest)
    return labels
