"""Label settings against each other, from stored maps: no network, every image read once.

A sweep is a set of variants of the run's `pseudo_labels` section. What they share (the image, its
saliency and each refinement of its maps) is made once per image.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from getam_core.data import Entry
from getam_core.errors import InputError
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.evaluation.masks import read_mask
from getam_core.labels import LabelInputs, label_refined, read_label_inputs, refine_maps
from getam_core.processes import parallel_map
from getam_core.stores import Store

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
        (saliency), Eq. 5 (mining; the lowest class wins), conflicts to unknown; its last variant
        replaces them by the labels of two CRFs on unrefined maps (the paper's Table 2). Without
        saliency in `base` only the first and the last are left.
    base : mapping
        The section `pseudo_labels`.
    grids : mapping
        The values of "alpha" and "gamma".

    Raises
    ------
    InputError
        The swept setting has no effect on the labels of `base`.
    """
    if base["method"] == "crf" and sweep in ("alpha", "gamma"):
        raise InputError(
            f"ablation/{sweep}: {sweep} has no effect on labels by pseudo_labels.method: crf; use"
            " completion, or sweep over `completion`, which has the CRF's labels too"
        )
    if base["method"] == "thresholds" and sweep != "completion":
        raise InputError(
            f"ablation/{sweep}: labels by pseudo_labels.method: thresholds cannot be swept; use"
            " completion, or sweep over `completion`"
        )
    if sweep == "alpha" and not base["saliency"]:
        raise InputError(
            "ablation/alpha: alpha only acts outside salient regions, but pseudo_labels.saliency"
            " is false"
        )
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
    """Label the images by every variant and compare the labels with the masks.

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
    work = partial(_count, maps=maps, saliency=saliency, variants=variants)
    pairs = [(entry, masks[entry.image_id]) for entry in entries]
    totals = {name: ConfusionMatrix(len(maps.classes) + 1) for name in variants}
    results = parallel_map(work, pairs, workers, lambda pair: pair[0].image_id)
    for matrices in tqdm(results, "ablation", len(entries), unit="image"):
        for name, matrix in matrices.items():
            totals[name].merge(matrix)
    return totals


def _count(
    pair: tuple[Entry, Path],
    maps: Store,
    saliency: Store | None,
    variants: Mapping[str, Arguments],
) -> dict[str, ConfusionMatrix]:
    """One image's matrices."""
    entry, path = pair
    mask = read_mask(path)
    labels = _labels(read_label_inputs(entry, maps, saliency), variants)
    matrices = {}
    for name, label_map in labels.items():
        matrices[name] = ConfusionMatrix(len(maps.classes) + 1)
        try:
            matrices[name].update(label_map, mask)
        except InputError as error:
            raise InputError(f"{maps.path}: image {entry.image_id!r}: {error}") from None
    return matrices


def _labels(given: LabelInputs, variants: Mapping[str, Arguments]) -> dict[str, Tensor]:
    """One image's label map by every variant; variants with equal refinement share it."""
    refined: dict[tuple, Tensor] = {}
    labels = {}
    for name, variant in variants.items():
        labelling = dict(variant)
        uses_saliency, threshold = labelling.pop("saliency"), labelling.pop("saliency_threshold")
        labelling.pop("thresholds", None)  # only for labels that have no sweep
        threshold = None if variant.get("agreed_saliency") else threshold
        salient = given.salient(threshold) if uses_saliency else None
        refining = {key: variant[key] for key in REFINING}
        if refining["refinement"] != "crf":
            del refining["gamma"]  # only the CRF has a background
        key = tuple(refining.items())
        if key not in refined:
            refined[key] = refine_maps(given.image[None], given.maps[None], **refining)[0]
        rest = {key: value for key, value in labelling.items() if key not in REFINING[:3]}
        labels[name] = label_refined(given.image, refined[key], given.class_ids, salient, **rest)
    return labels
