"""The mean and deviation by which images are normalised for the weights of a CNN or an encoder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torchvision

from getam_core.classes import IMAGENET_MEAN, IMAGENET_STD

Triple = Sequence[float]


def resolve_normalisation(
    name: str,
    library: str = "timm",
    weights: Path | str | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
) -> tuple[Triple, Triple]:
    """Return `mean` and `std`, or, where they are None, those that the weights were trained with.

    timm and torchvision state them for their weights of this name; a file is assumed to use the
    same. Random weights use ImageNet's.
    """
    own_mean, own_std = IMAGENET_MEAN, IMAGENET_STD
    configuration = None if weights is None else _configuration(name, library)
    if configuration is not None:  # None for an unknown name, which building refuses
        own_mean, own_std = tuple(configuration.mean), tuple(configuration.std)
    return own_mean if mean is None else mean, own_std if std is None else std


def _configuration(name: str, library: str) -> Any:
    """Return the library's description of its weights; None where it has no such network."""
    if library == "timm":
        return timm.get_pretrained_cfg(name)
    if name not in torchvision.models.list_models():
        return None
    return torchvision.models.get_model_weights(name).DEFAULT.transforms()


def resolved(stem: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `build_stem` that normalise the same when the weights are left out."""
    keys = ("name", "library", "weights", "mean", "std")
    given = {key: stem[key] for key in keys if key in stem}
    mean, std = resolve_normalisation(**given)
    return {**stem, "mean": tuple(mean), "std": tuple(std)}
