"""Initial weights of the backbone, by default checked to come from ImageNet's image labels.

A checkpoint that was trained on segmentation masks, for example COCO's, would leak those masks
into a result that is called weakly supervised. Nothing in the numbers would show it.
"""

import logging
from typing import Literal

import timm
from torch import Tensor, nn

from getam_core.errors import InputError
from getam_core.networks.library import check_timm_name, from_hub, load_all, read_weights

log = logging.getLogger(__name__)

Origin = Literal["imagenet", "other", "masks"]
HUB = "hub"
PREFIXES = ("module.", "backbone.", "model.", "encoder.")  # of names in other libraries
STAGES = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
CLASSIFIERS = ("fc.weight", "head.fc.weight")  # of timm and torchvision; of mmpretrain
IMAGENET_CLASSES = 1000


def load_initial_weights(backbone: nn.Module, depth: int, weights: str, trained_on: Origin) -> None:
    """Load a ResNet's weights in place.

    Parameters
    ----------
    backbone : nn.Module
        mmsegmentation's ResNet; its names are torchvision's.
    depth : int
        Of the ResNet.
    weights : str
        A file (safetensors, or torch with tensors only); "hub" for torchvision's ImageNet weights
        through timm's hub; or "hub:NAME" for a timm model of the same depth.
    trained_on : {"imagenet", "other", "masks"}
        `deeplab.weights_trained_on`. "imagenet" is checked: see `check_origin`.

    Raises
    ------
    InputError
        The weights cannot be obtained, are of another network, or of another origin than stated.
    """
    state = _from_hub(depth, weights) if _is_hub(weights) else read_weights(weights)
    state = {_bare(name): value for name, value in state.items()}
    check_origin(weights, state, trained_on)
    load_all(weights, backbone, {k: v for k, v in state.items() if k.startswith(STAGES)})
    log.info("initial weights: %s (trained on: %s)", weights, trained_on)


def check_origin(weights: str, state: dict[str, Tensor], trained_on: Origin) -> None:
    """Refuse weights that were trained on masks, or may have been, unless the setting says so.

    A classifier of at least 1,000 classes is evidence of ImageNet. Any weight other than that and
    the ResNet's own stages may be a segmentation head, and a ResNet alone is no evidence.

    Parameters
    ----------
    state : dict of str to Tensor
        Weights by names without a library's prefix.

    Raises
    ------
    InputError
        Says what was found, and which value of `deeplab.weights_trained_on` would accept it.
    """
    known = (*STAGES, "fc.", "head.fc.")
    strange = [name for name in state if not name.startswith(known)]
    if strange and trained_on != "masks":
        raise InputError(
            f"{weights}: {', '.join(strange[:3])} {'does' if len(strange) == 1 else 'do'} not"
            " belong to a ResNet classifier: a checkpoint trained on segmentation masks would leak"
            " them. Give ImageNet weights, or set deeplab.weights_trained_on: masks, which every"
            " result then states"
        )
    if trained_on == "imagenet" and not any(_is_imagenet(state, name) for name in CLASSIFIERS):
        raise InputError(
            f"{weights}: no classifier of {IMAGENET_CLASSES} classes (fc.weight), so nothing shows"
            " that no masks were used. Give the whole ImageNet checkpoint, or say where it comes"
            " from with deeplab.weights_trained_on: other, or masks"
        )


def _is_imagenet(state: dict[str, Tensor], name: str) -> bool:
    return name in state and state[name].ndim == 2 and len(state[name]) >= IMAGENET_CLASSES


def _is_hub(weights: str) -> bool:
    return weights == HUB or weights.startswith(f"{HUB}:")


def _from_hub(depth: int, weights: str) -> dict[str, Tensor]:
    name = weights.removeprefix(HUB).removeprefix(":") or f"resnet{depth}.tv_in1k"
    check_timm_name(name)
    if name.partition(".")[0] != f"resnet{depth}":
        raise InputError(f"deeplab.weights: {name} is not a resnet{depth}")
    with from_hub(name):
        return timm.create_model(name, pretrained=True).state_dict()


def _bare(name: str) -> str:
    """Strip what libraries put before the names of a ResNet, `module.backbone.` for example."""
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name
