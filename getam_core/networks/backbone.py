"""timm's vision transformers, on the patches of an image or of a CNN stem's last map."""

import inspect
from pathlib import Path
from typing import Any

import timm
from timm.layers import HybridEmbed, PatchEmbed
from timm.models.resnetv2 import ResNetV2
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from getam_core.errors import InputError, check_name
from getam_core.networks.library import check_timm_name, from_hub, one_line, read_weights
from getam_core.networks.stem import FINEST, Normalise, Stem

# What this module sets itself, and what would break the patch grid that maps are read from.
RESERVED = ("img_size", "in_chans", "num_classes", "dynamic_img_size", "patch_drop_rate")
NOT_ONE = "not a VisionTransformer of timm with a [class] token; try a vit_* or a deit_*"


def build_vit(
    name: str,
    *,
    image_size: int | tuple[int, int],
    num_classes: int,
    options: dict[str, Any] | None = None,
    weights: Path | str | None = None,
    stem: Stem | None = None,
) -> VisionTransformer:
    """Build timm's `name` for classification by its [class] token; other image sizes work too.

    Parameters
    ----------
    name : str
        timm's name of a `VisionTransformer` (ViT, DeiT, DeiT-3, hybrids, DINOv2, CLIP).
    image_size : int or (int, int)
        Pixels for which the position embedding is made; it is resampled for other sizes.
    num_classes : int
        C; the head is new.
    options : dict or None
        Arguments of `VisionTransformer` to override (`embed_dim`, `depth`, ...).
    weights : Path or str or None
        A safetensors, torch or (timm's JAX models) npz file, "hub", or None for random.
    stem : Stem or None
        Its last map then replaces the image and is cut into patches of 1 x 1 cells, unless
        `options` has another `patch_size`.

    Raises
    ------
    InputError
        An unknown name or option, not a vision transformer, no [class] token, unusable weights.
    """
    check_timm_name(name)
    options = dict(options or {})
    _check_options(name, options)
    arguments = {"dynamic_img_size": True, "img_size": image_size}
    if stem is not None:
        if weights is not None:
            raise InputError(
                f"{name}: weights belong to timm's own patch embedding; leave out stem or weights"
            )
        height, width = _pair(image_size)
        arguments["img_size"] = (height // stem.stride, width // stem.stride)
        arguments |= {"in_chans": stem.channels[-1], "patch_size": 1}
    vit = _create(name, num_classes, weights, arguments | options)
    if not isinstance(vit, VisionTransformer) or not vit.has_class_token:
        raise InputError(f"{name}: {NOT_ONE}")
    return vit


def _check_options(name: str, options: dict[str, Any]) -> None:
    known = set(inspect.signature(VisionTransformer).parameters) - set(RESERVED)
    for option in options:
        check_name(f"option of {name}", option, known)


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _create(
    name: str, num_classes: int, weights: Path | str | None, arguments: dict[str, Any]
) -> nn.Module:
    """Create the model; weights from a file go through timm's own conversion and resampling."""
    try:
        if weights is None:
            return timm.create_model(name, num_classes=num_classes, **arguments)
        if weights == "hub":
            with from_hub(name):
                return timm.create_model(name, True, num_classes=num_classes, **arguments)
        if Path(weights).suffix == ".npz":
            source = {"file": _existing(weights), "custom_load": True}
            return timm.create_model(
                name, True, pretrained_cfg_overlay=source, num_classes=num_classes, **arguments
            )
        return _create_from(Path(weights), name, num_classes, arguments)
    except (AssertionError, TypeError) as error:  # how timm refuses a value of an option
        foreign = "dynamic_img_size" in str(error)
        raise InputError(f"{name}: {NOT_ONE if foreign else error}") from error


def _create_from(path: Path, name: str, num_classes: int, arguments: dict[str, Any]) -> nn.Module:
    """Load strictly, with as many classes as the file has, then put in a new head."""
    state = read_weights(path)
    classes = state["head.weight"].shape[0] if "head.weight" in state else 0
    overlay = {"state_dict": state, "num_classes": classes, "custom_load": False}
    try:
        model = timm.create_model(
            name, True, pretrained_cfg_overlay=overlay, num_classes=classes, **arguments
        )
    except RuntimeError as error:
        raise InputError(
            f"{path}: not the weights of {name} with these options: {one_line(error)}"
        ) from error
    model.pretrained_cfg.pop("state_dict", None)
    model.reset_classifier(num_classes)
    for head in _heads(model):
        nn.init.trunc_normal_(head.weight, std=0.02)
        nn.init.zeros_(head.bias)
    return model


def _heads(model: nn.Module) -> list[nn.Linear]:
    """Return the linear layers that classify; without classes timm has `Identity` instead."""
    heads = (model.head, getattr(model, "head_dist", None))
    return [head for head in heads if isinstance(head, nn.Linear)]


def _existing(path: Path | str) -> str:
    if not Path(path).is_file():
        raise InputError(f"{path}: no such weights file")
    return str(path)


class ResNetStages(nn.Module):
    """The ResNetV2 of timm's hybrids, returning the map after every stage."""

    def __init__(self, resnet: ResNetV2):
        super().__init__()
        self.stem, self.stages, self.norm = resnet.stem, resnet.stages, resnet.norm

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map normalised images to maps, fine to coarse."""
        maps = []
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return [*maps[:-1], self.norm(maps[-1])]


def split_hybrid(vit: VisionTransformer, name: str) -> Stem | None:
    """Split one of timm's hybrids: its CNN becomes a stem, `vit` keeps patches on its last map.

    Pretrained weights are kept. Returns None for a plain ViT, which is left unchanged.

    Raises
    ------
    InputError
        A hybrid whose CNN is not a ResNetV2 with stages.
    """
    embed = vit.patch_embed
    if not isinstance(embed, HybridEmbed):
        return None
    resnet = embed.backbone
    if not isinstance(resnet, ResNetV2):
        raise InputError(f"{name}: use vit_base_r50_s16_384, or a plain vit_* with a `stem`")
    info = [i for i in resnet.feature_info if i["reduction"] >= FINEST]
    vit.patch_embed = PatchEmbed(
        img_size=embed.feature_size,
        patch_size=embed.patch_size,
        in_chans=embed.feature_dim,
        embed_dim=vit.embed_dim,
        strict_img_size=False,
        output_fmt="NHWC",
    )
    vit.patch_embed.proj = embed.proj
    return Stem(
        ResNetStages(resnet),
        normalisation(vit),
        channels=[i["num_chs"] for i in info],
        strides=[i["reduction"] for i in info],
    )


def normalisation(vit: VisionTransformer) -> Normalise:
    """Return the normalisation that timm gives with the model's weights."""
    return Normalise(vit.pretrained_cfg["mean"], vit.pretrained_cfg["std"])
