"""A DeepLabv2 network: built, saved and loaded."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import nn

from getam_core.checkpoint import load_checkpoint, save_checkpoint
from getam_core.deeplab.head import DeepLabV2Head
from getam_core.deeplab.recipe import network_recipe
from getam_core.errors import InputError
from getam_core.networks.openmmlab import MODELS

assert DeepLabV2Head in MODELS.module_dict.values()  # importing it has registered it


@dataclass(frozen=True)
class TrainedDeepLab:
    """What `checkpoint.pt` holds: the network, and what it was trained on."""

    network: nn.Module
    classes: tuple[str, ...]
    settings: dict[str, Any]  # the sections of the training
    labels: dict[str, Any]  # the settings of the label maps


def build_deeplab(**built_by: Any) -> nn.Module:
    """Build mmsegmentation's network of `network_recipe(**built_by)` with random weights."""
    log = MMLogger.get_current_instance()
    handlers, log.handlers[:] = list(log.handlers), []  # otherwise it lists every parameter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mmsegmentation about itself
        network = MODELS.build(network_recipe(**built_by))
        network.init_weights()
    log.handlers[:] = handlers
    return network


def save_deeplab(
    path: Path,
    network: nn.Module,
    built_by: Mapping[str, Any],
    *,
    classes: Sequence[str],
    settings: Mapping[str, Any],
    labels: Mapping[str, Any],
) -> None:
    """Write `checkpoint.pt`: model, built_by (arguments of `build_deeplab`), classes, settings."""
    content = {
        "model": {name: value.cpu() for name, value in network.state_dict().items()},
        "built_by": dict(built_by),
        "classes": list(classes),
        "settings": dict(settings),
        "labels": dict(labels),
    }
    save_checkpoint(path, content)


def load_deeplab(path: Path) -> TrainedDeepLab:
    """Read what `save_deeplab` wrote; the network is on the CPU and in evaluation mode.

    Raises
    ------
    InputError
        The file is missing, unreadable, or another network's.
    """
    content = load_checkpoint(path)
    if "decode_head.classifiers.0.weight" not in content.get("model", {}):
        raise InputError(
            f"{path}: does not hold a DeepLabv2; give results/<run>/deeplabv2/checkpoint.pt"
        )
    with torch.random.fork_rng(devices=[]):
        network = build_deeplab(**content["built_by"])
    network.load_state_dict(content["model"])
    return TrainedDeepLab(
        network.eval(), tuple(content["classes"]), content["settings"], content["labels"]
    )
