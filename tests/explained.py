"""Small networks whose maps the tests look at, with images and targets for them."""

import timm
import torch

from getam_core.networks import build_classifier, build_network

SMALL = {"embed_dim": 32, "depth": 3, "num_heads": 2}
STEM = {"name": "squeezenet1_1", "library": "torchvision", "pad": 1}
IMAGE = (64, 96)
TARGETS = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.bool)


def timm_model(name, **options):
    return timm.create_model(name, num_classes=4, img_size=IMAGE, **{**SMALL, **options})


def hybrid(name="vit_tiny_patch16_224", stem=None, head="class", **options):
    return build_network(
        name=name,
        num_classes=4,
        image_size=IMAGE,
        options={**SMALL, "depth": 2, **options},
        stem=stem,
        head=head,
        decoder_width=8,
    )


MODELS = {
    "vit": lambda: timm_model("vit_tiny_patch16_224"),
    "distilled": lambda: timm_model("deit_tiny_distilled_patch16_224"),
    "stem hybrid": lambda: hybrid(stem=STEM),
    "r50 hybrid": lambda: hybrid("vit_base_r50_s16_224"),
    "relative position": lambda: timm_model("beit_base_patch16_224"),
    "TS-CAM": lambda: hybrid(head="ts_cam"),
    "TS-CAM, distilled": lambda: hybrid("deit_tiny_distilled_patch16_224", head="ts_cam"),
    "AFA": lambda: hybrid(head="max_pooled"),
    "AFA, stem": lambda: hybrid(stem=STEM, head="max_pooled"),
    "CNN": lambda: build_classifier(stem=STEM, num_classes=4),
    "ResNet": lambda: timm.create_model("resnet10t", num_classes=4, zero_init_last=False),
}
SERVES = {
    "ts_cam": ["TS-CAM", "TS-CAM, distilled"],
    "cnn_cam": ["CNN", "ResNet"],
    "afa": ["AFA", "AFA, stem"],
}


def kinds_for(method):
    """The kinds of networks that the tests of every method run on."""
    return SERVES.get(method, ["vit", "distilled", "stem hybrid"])


def model_of(kind):
    """Build one of `MODELS`."""
    return sharpened(MODELS[kind])


def sharpened(build):
    """Build a network whose attention is not flat; timm's small initial weights leave it flat."""
    torch.manual_seed(0)
    model = build().eval()
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.data.mul_(3)
    return model
