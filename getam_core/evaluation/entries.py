"""What miou.json says: one entry per figure, with everything that the figure depends on."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from getam_core.evaluation.confusion import ConfusionMatrix

# In the order in which a run makes them, which is the order of the entries.
WHATS = ("seed", "pseudo_labels", "segmentation", "deeplabv2")


def label_entry(
    split: str,
    what: str,
    method: str,
    matrix: ConfusionMatrix,
    classes: Sequence[str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe the figure of label maps or predictions.

    Parameters
    ----------
    split : str
        "train" or "val".
    what : {"seed", "pseudo_labels", "segmentation", "deeplabv2"}
    method : str
        Whose maps or labels, "getam" for example.
    matrix : ConfusionMatrix
        Over all images of the split.
    classes : sequence of str
        Names of the C foreground classes.
    settings : mapping
        Scales, flips, CRF, threshold, gamma, alpha: JSON values only.

    Returns
    -------
    dict
        split, what, method, miou (percent), per_class (name to percent, None where the class is in
        neither truth nor prediction), images, settings; if some pixels are unknown, also miou_known
        (percent, without them; miou counts them as missed) and coverage (known share, 0..1).
    """
    assert what in WHATS, what
    names = ("background", *classes)
    entry = {
        "split": split,
        "what": what,
        "method": method,
        "miou": _percent(matrix.miou()),
        "per_class": dict(zip(names, map(_percent, matrix.iou()), strict=True)),
        "images": matrix.images,
        "settings": dict(settings),
    }
    if matrix.coverage() < 1:
        entry["miou_known"] = _percent(matrix.miou_known())
        entry["coverage"] = round(matrix.coverage(), 4)
    return entry


def seed_entry(
    split: str,
    method: str,
    curve: Sequence[tuple[float, ConfusionMatrix]],
    classes: Sequence[str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe the figure of maps at their best background threshold.

    The same as `label_entry`, with the best threshold among the settings and, as "curve", the pairs
    [threshold, mIoU in percent] of the whole grid. Of equally good thresholds the lowest is taken.
    """
    threshold, best = max(curve, key=lambda pair: pair[1].miou())
    entry = label_entry(split, "seed", method, best, classes, {**settings, "threshold": threshold})
    entry["curve"] = [[limit, _percent(matrix.miou())] for limit, matrix in curve]
    return entry


def rank_maps(
    entries: Sequence[Mapping[str, Any]], class_map: Sequence[float | None]
) -> list[dict[str, Any]]:
    """Order seed entries, best first, with their rank (equal figures share one).

    Parameters
    ----------
    entries : sequence of mapping
        Those of `seed_entry`, one per method.
    class_map : sequence of float or None
        How well each one's network finds the classes on val: mAP in percent.
    """
    known = [entry for entry in entries if entry["miou"] is not None]
    ranked = [
        {**entry, "class_map": quality, "rank": 1 + sum(e["miou"] > entry["miou"] for e in known)}
        for entry, quality in zip(entries, class_map, strict=True)
        if entry["miou"] is not None
    ]
    return sorted(ranked, key=lambda entry: entry["rank"])


def retrained_entry(
    split: str, matrix: ConfusionMatrix, classes: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe the figure of a retrained DeepLabv2 by the settings of its predictions' store.

    The method says what labels it was trained on: those of a method of maps, "imported" for label
    maps that were made elsewhere, "masks" for the ground truth.
    """
    training, labels = settings["deeplab"], settings["labels"]
    kept = ("supervision", "depth", "width", "batch_norm", "iterations", "batch_size", "crop_size")
    weights = training["weights_trained_on"] if training["weights"] else "random"
    shown = {key: training[key] for key in kept} | {"initial_weights": weights}
    made_from = labels.get("made_from", {}).get("method", "imported")
    method = "masks" if training["supervision"] == "masks" else made_from
    described = {**shown, **settings["deeplab_test"]}
    return label_entry(split, "deeplabv2", method, matrix, classes, described)


def merge_entries(
    run: str, dataset: str, classes: Sequence[str], entries: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Collect entries as miou.json, ordered by what, split, method and CRF.

    Parameters
    ----------
    run, dataset : str
        Names of the run and of its data.
    classes : sequence of str
        Names of the C foreground classes.
    entries : iterable of mapping
        Those of the functions above; each (what, split, method, with CRF or without) once.
    """
    ordered = sorted(entries, key=_rank)
    ranks = [_rank(entry) for entry in ordered]
    assert len(set(ranks)) == len(ranks), ranks
    return {"run": run, "dataset": dataset, "classes": list(classes), "entries": ordered}


def _rank(entry: Mapping[str, Any]) -> tuple[int, str, str, bool]:
    crf = bool(entry["settings"].get("crf"))
    return WHATS.index(entry["what"]), entry["split"], entry["method"], crf


def _percent(value: float) -> float | None:
    """Round to two digits, as tables print it; JSON has no NaN, so None."""
    return None if math.isnan(value) else round(100 * float(value), 2)
