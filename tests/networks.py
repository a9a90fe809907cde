"""Small networks of every kind that the tests build."""

import torch

from getam_core.classes import SCENE_CLASSES
from getam_core.networks import build_network, build_vit

SMALL = {"embed_dim": 32, "depth": 4, "num_heads": 2}
ODD = {"embed_dim": 100}  # not divisible by the heads
SQUEEZENET = {"name": "squeezenet1_1", "library": "torchvision", "pad": 1}
NETWORKS = {
    "vit": {"name": "vit_tiny_patch16_224", "options": SMALL},
    "distilled": {"name": "deit_tiny_distilled_patch16_224", "options": SMALL},
    "registers": {"name": "vit_small_patch14_reg4_dinov2", "options": {**SMALL, "patch_size": 8}},
    "stem": {
        "name": "vit_tiny_patch16_224",
        "options": {**SMALL, "depth": 2},
        "stem": SQUEEZENET,
    },
    "r50": {"name": "vit_base_r50_s16_224", "options": {**SMALL, "depth": 2}},
}


def network_of(kind, **changes):
    torch.manual_seed(0)
    arguments = {"num_classes": 3, "image_size": 64, "decoder_width": 8, **NETWORKS[kind]}
    return build_network(**{**arguments, **changes})


def vit(name, **arguments):
    return build_vit(name, image_size=64, num_classes=3, **arguments)


def random_images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


TINY = {
    "name": "vit_tiny_patch16_224",
    "num_classes": len(SCENE_CLASSES),
    "image_size": 32,
    "options": {"patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2},
    "weights": None,
    "stem": None,
    "decoder_width": 8,
}


def tiny_network(**options):
    torch.manual_seed(0)
    return build_network(**TINY | {"options": TINY["options"] | options})
