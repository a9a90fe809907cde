"""What a run says of each training image besides its image-level labels; no mask is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import tanh

import numpy as np
from tqdm import tqdm

from getam_core.agreement import agreement
from getam_core.data import Entry, class_targets
from getam_core.errors import InputError
from getam_core.stores import Store


@dataclass(frozen=True)
class Evidence:
    """n training images; C foreground classes.

    Attributes
    ----------
    targets : (n, C) ndarray of bool
        The image-level labels.
    scores : (n, C) ndarray of float32
        The network's class logits.
    areas : (n, C) ndarray of float32, or None
        Share of the image that the prediction gives each class, 0..1.
    label_agreement : (n,) ndarray of float64, or None
        `agreement` of pseudo label and prediction, 0..1.
    flip_agreement : (n,) ndarray of float64, or None
        `agreement` of the predictions of the image and of its mirror image, 0..1. The last three
        are None without predictions, and this one also if those were made without the mirror image.
    """

    targets: np.ndarray
    scores: np.ndarray
    areas: np.ndarray | None = None
    label_agreement: np.ndarray | None = None
    flip_agreement: np.ndarray | None = None


@dataclass(frozen=True)
class Verdict:
    """What the network says of one class in one image.

    Attributes
    ----------
    name : str
        Of the class.
    score : float
        Its logit.
    area : float or None
        The share of the image that the prediction gives it, 0..1.
    """

    name: str
    score: float
    area: float | None = None

    @property
    def probability(self) -> float:
        """The sigmoid of the score."""
        return 0.5 * (1 + tanh(self.score / 2))


def gather(
    entries: Sequence[Entry], maps: Store, labels: Store, predictions: Store | None
) -> Evidence:
    """Read what the run's stores say of these images, with a progress bar.

    Parameters
    ----------
    entries : sequence of Entry
    maps : Store
        Of kind "maps"; its scores are used if there are no predictions.
    labels : Store
        Of kind "labels": the pseudo labels.
    predictions : Store or None
        Of kind "predictions" and of the same images; None if the network does not segment.

    Raises
    ------
    InputError
        No image has a label, so there is nothing to contradict; or a store lacks an image or its
        class scores.
    """
    targets = class_targets(entries, labels.classes)
    if not targets.any():
        raise InputError("review: no training image has an image-level label to review")
    if predictions is None:
        own = [_scores(maps, maps.attributes(entry.image_id)) for entry in _shown(entries)]
        return Evidence(targets, np.stack(own))
    read = [_of_image(entry.image_id, labels, predictions) for entry in _shown(entries)]
    scores, areas, same, mirrored = (np.stack(column) for column in zip(*read, strict=True))
    known = np.isfinite(mirrored).all()
    return Evidence(targets, scores, areas, same, mirrored if known else None)


def _shown(entries: Sequence[Entry]) -> tqdm:
    return tqdm(entries, "review", unit="image")


def _of_image(
    image_id: str, labels: Store, predictions: Store
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return class logits (C,), predicted areas (C,), both agreements (NaN where unknown)."""
    prediction, known = predictions.read(image_id)
    areas = np.bincount(prediction.ravel(), minlength=256) / prediction.size
    return (
        _scores(predictions, known),
        areas[1 : len(labels.classes) + 1].astype(np.float32),
        agreement(labels[image_id], prediction),
        float(known.get("flip_agreement", np.nan)),
    )


def _scores(store: Store, attributes: dict) -> np.ndarray:
    if "scores" not in attributes:
        raise InputError(f"{store.path}: holds no class scores; make it again with this network")
    return attributes["scores"]
