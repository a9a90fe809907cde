"""The encoder of a saliency network: a window transformer, a ViT, or a CNN.

The paper takes saliency from a Swin transformer with a top-down decoder (its reference [45]).
Shapes: B images, (H, W) pixels; the map at stride s is (B, channels, H / s, W / s), exactly.
"""

from collections.abc import Sequence
from pathlib import Path

import timm
import torch.nn.functional as F
from torch import Tensor, nn

from getam_core.errors import InputError
from getam_core.networks import Stem, build_stem, freeze_unused
from getam_core.networks.dpt import default_taps
from getam_core.networks.normalisation import resolve_normalisation
from getam_core.networks.probe import measure
from getam_core.networks.stem import Normalise, timm_features
from getam_core.resizing import resize_tensor

WINDOW_MODULES = ("swin_transformer", "swin_transformer_v2")  # of timm
PLAIN_MODULES = ("vision_transformer", "deit")
STRIDES = (4, 8, 16, 32)


class ChannelsFirst(nn.Module):
    """Bring a Swin's maps, (B, h, w, channels), into the order of a CNN's."""

    def __init__(self, trunk: nn.Module):
        super().__init__()
        self.trunk = trunk

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> list of (B, channels, h, w), fine to coarse."""
        return [m.permute(0, 3, 1, 2).contiguous() for m in self.trunk(images)]


class Pyramid(nn.Module):
    """A plain ViT's maps of one size at four depths as a pyramid: the earliest becomes finest.

    Parameters
    ----------
    trunk : nn.Module
        Gives maps (B, E, H / patch, W / patch), early to late.
    patch : int
        Side of a patch in pixels, a power of 2.
    strides : sequence of int
        Of the pyramid, fine to coarse, one per map.
    """

    def __init__(self, trunk: nn.Module, patch: int, strides: Sequence[int]):
        super().__init__()
        self.trunk, self.patch, self.strides = trunk, patch, tuple(strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> list of (B, E, H / stride, W / stride)."""
        H, W = images.shape[-2:]
        return [
            F.adaptive_avg_pool2d(m, (H // stride, W // stride))
            if stride > self.patch
            else resize_tensor(m, (H // stride, W // stride))
            for m, stride in zip(self.trunk(images), self.strides, strict=True)
        ]


def build_encoder(
    name: str,
    *,
    library: str = "timm",
    weights: Path | str | None = None,
    max_stride: int = 32,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    **options: object,
) -> Stem:
    """Build an encoder with one map per stride from 4 to `max_stride`, for images of any size.

    Parameters are those of `build_stem`, which builds every network except timm's Swin (also V2),
    ViT and DeiT; `bgr`, `pad` and `feature_scale` are only for networks that it builds.

    Raises
    ------
    InputError
        As `build_stem`, or a patch whose side is not a power of 2.
    """
    window = library == "timm" and name in _models(WINDOW_MODULES)
    plain = library == "timm" and name in _models(PLAIN_MODULES)
    if window or plain:
        wanted = [stride for stride in STRIDES if stride <= max_stride]
        trunk = _window(name, weights, wanted) if window else _plain(name, weights, wanted)
        channels, strides = measure(trunk, name, max_stride, 0)
        normalise = Normalise(*resolve_normalisation(name, library, weights, mean, std))
        encoder = Stem(trunk, normalise, channels=channels, strides=strides)
    else:
        shared = {"library": library, "weights": weights, "mean": mean, "std": std}
        encoder = build_stem(name, max_stride=max_stride, **shared, **options)
    freeze_unused(encoder, read=len(encoder.strides))
    return encoder


def _models(modules: Sequence[str]) -> set[str]:
    return {name for module in modules for name in timm.list_models(module=module)}


def _window(name: str, weights: Path | str | None, strides: Sequence[int]) -> nn.Module:
    taps = tuple(range(len(strides)))
    # Without the strict image size, its windows and their masks fit maps of any size.
    return ChannelsFirst(timm_features(name, weights, out_indices=taps, strict_img_size=False))


def _plain(name: str, weights: Path | str | None, strides: Sequence[int]) -> nn.Module:
    features = timm.create_model(name, features_only=True)
    patch = features.feature_info.reduction()[0]
    if patch & (patch - 1):
        raise InputError(
            f"{name}: maps of patches of {patch} px do not form a pyramid of strides"
            f" {tuple(strides)}; use patches of 8 or 16 px"
        )
    taps = default_taps(len(features.model.blocks), 4)[-len(strides) :]
    trunk = timm_features(name, weights, out_indices=tuple(taps), dynamic_img_size=True)
    return Pyramid(trunk, patch, strides[-len(taps) :])
