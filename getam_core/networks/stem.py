"""A CNN as the stem of a hybrid ViT, or as the encoder of a saliency network.

Shapes: B images, (H, W) pixels; the map at stride s is (B, channels, H / s, W / s), exactly.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from getam_core.errors import InputError, check_name
from getam_core.networks.library import (
    check_timm_name,
    from_hub,
    load_all,
    one_line,
    read_weights,
)
from getam_core.networks.normalisation import resolve_normalisation
from getam_core.networks.probe import measure

FINEST = 4  # a decoder gains little from stride 2, which costs as much as all other maps together


class Normalise(nn.Module):
    """Normalise RGB images in 0..1 as a network expects: BGR if asked for, `(x - mean) / std`.

    `mean` and `std` are in units of 0..1 and in the network's own channel order.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], bgr: bool = False):
        super().__init__()
        self.bgr = bgr
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def description(self) -> dict[str, Any]:
        """Return its arguments as plain values."""
        statistics = {"mean": self.mean.flatten().tolist(), "std": self.std.flatten().tolist()}
        return statistics | {"bgr": self.bgr}

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB 0..1 -> (B, 3, H, W)."""
        return ((images.flip(1) if self.bgr else images) - self.mean) / self.std


class Stem(nn.Module):
    """Feature maps from fine to coarse, one per stride.

    Parameters
    ----------
    trunk : nn.Module
        Maps normalised images to a list of maps, fine to coarse.
    normalise : Normalise
        What the trunk expects of its input.
    channels, strides : sequence of int
        Of the maps, in the trunk's order.
    pad : int
        Pixels of zeros around the normalised image, for networks without padding of their own.
    feature_scale : float or sequence of float
        Factor on every map, or one factor per map, for networks whose features are far from unit
        size.

    Raises
    ------
    InputError
        `feature_scale` is a list with another length than that of the maps.
    """

    def __init__(
        self,
        trunk: nn.Module,
        normalise: Normalise,
        *,
        channels: Sequence[int],
        strides: Sequence[int],
        pad: int = 0,
        feature_scale: float | Sequence[float] = 1.0,
    ):
        super().__init__()
        self.trunk = trunk
        self.normalise = normalise
        self.channels, self.strides = tuple(channels), tuple(strides)
        self.pad = pad
        self.scales = _one_a_map(feature_scale, self.strides)

    @property
    def stride(self) -> int:
        """Stride of the last map: image sides must be multiples of it."""
        return self.strides[-1]

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB 0..1 -> list of (B, channels[i], H / strides[i], W / strides[i])."""
        maps = self.trunk(F.pad(self.normalise(images), [self.pad] * 4))
        return [m if s == 1 else m * s for m, s in zip(maps, self.scales, strict=True)]


def _one_a_map(scale: float | Sequence[float], strides: Sequence[int]) -> tuple[float, ...]:
    scales = tuple(scale) if isinstance(scale, Sequence) else (scale,) * len(strides)
    if len(scales) != len(strides):
        raise InputError(
            f"feature_scale has {len(scales)} factors, the stem {len(strides)} maps,"
            f" of strides {strides}: give one factor, or one per map"
        )
    return scales


class Tapped(nn.Sequential):
    """Layers in sequence; returns the outputs of the layers whose positions are in `taps`."""

    def __init__(self, layers: dict[str, nn.Module], taps: Sequence[int]):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.taps = frozenset(taps)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Run all layers; maps in the order of the layers."""
        maps = []
        for i, layer in enumerate(self):
            x = layer(x)
            if i in self.taps:
                maps.append(x)
        return maps


def build_stem(
    name: str,
    *,
    library: str = "timm",
    weights: Path | str | None = None,
    max_stride: int = 16,
    dilated: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    bgr: bool = False,
    pad: int = 0,
    feature_scale: float | Sequence[float] = 1.0,
) -> Stem:
    """Build a stem from a CNN of timm (`features_only`) or torchvision (its `features`).

    Parameters
    ----------
    name : str
        The library's name of the network.
    library : str
        "timm" or "torchvision".
    weights : Path or str or None
        A safetensors or torch file in the library's key names (the classifier in it is ignored),
        "hub" for the library's own download, None for random weights.
    max_stride : int
        Stride of the coarsest map; layers beyond it are left out.
    dilated : bool
        Keep those layers instead, dilated so that they work at `max_stride`, as is usual for CAMs
        of CNNs; for timm's ResNets and similar networks.
    mean, std, bgr
        See `Normalise`; None for those of the weights, see `resolve_normalisation`.
    pad, feature_scale
        See `Stem`.

    Returns
    -------
    Stem with one map per stride from 4 to `max_stride`.

    Raises
    ------
    InputError
        Unknown name or library, unusable weights, a network for only one image size or without
        plain maps, or maps that do not fit their stride exactly; see `measure`.

    Notes
    -----
    SqueezeNet 1.0 in the authors' weights: library "torchvision", bgr, mean (104, 117, 123) / 255,
    std 1 / 255, pad 3 (without it 320 px give 19 x 19 cells at stride 16), feature_scale
    [1 / 250, 1 / 50, 1 / 20]: on photographs the maps' standard deviations are 230, 45 and 35.
    """
    check_name("stem library", library, ("timm", "torchvision"))
    if library == "timm":
        trunk = _timm_trunk(name, weights, max_stride, dilated)
    elif dilated:
        raise InputError(f"{name}: only timm's stems can be dilated; set library to timm")
    else:
        trunk = _torchvision_trunk(name, weights, max_stride, pad)
    channels, strides = measure(trunk, name, max_stride, pad)
    return Stem(
        trunk,
        Normalise(*resolve_normalisation(name, library, weights, mean, std), bgr),
        channels=channels,
        strides=strides,
        pad=pad,
        feature_scale=feature_scale,
    )


def _timm_trunk(name: str, weights: Path | str | None, max_stride: int, dilated: bool) -> nn.Module:
    check_timm_name(name)
    build = partial(timm.create_model, name, features_only=True)
    if dilated:
        build = partial(build, output_stride=max_stride)
    try:
        reductions = build().feature_info.reduction()
    except (TypeError, NotImplementedError, AssertionError) as error:
        if not dilated:
            raise
        raise InputError(f"{name}: cannot be dilated ({one_line(error)})") from error
    last = {stride: i for i, stride in enumerate(reductions) if FINEST <= stride <= max_stride}
    if not last:
        raise InputError(
            f"{name}: has strides {sorted(set(reductions))}, none from {FINEST} to"
            f" max_stride={max_stride}"
        )
    options = {"output_stride": max_stride} if dilated else {}
    return timm_features(name, weights, out_indices=tuple(last.values()), **options)


def timm_features(name: str, weights: Path | str | None, **options: Any) -> nn.Module:
    """Build a timm network that gives feature maps, with weights as in `build_stem`.

    `options` are timm's, for instance `out_indices`. Raises `InputError` where weights do not fit.
    """
    create = partial(timm.create_model, name, features_only=True, **options)
    if weights is None:
        return create()
    if weights == "hub":
        with from_hub(name):
            return create(pretrained=True)
    state = read_weights(weights)
    # timm drops the classifier and then ignores missing keys: look for them in the whole model.
    load_all(weights, timm.create_model(name, num_classes=0), state)
    return create(pretrained=True, pretrained_cfg_overlay={"state_dict": state})


def _torchvision_trunk(
    name: str, weights: Path | str | None, max_stride: int, pad: int
) -> nn.Module:
    check_name("torchvision model", name, torchvision.models.list_models())
    with from_hub(name):
        model = torchvision.models.get_model(name, weights="DEFAULT" if weights == "hub" else None)
    layers = getattr(model, "features", None)
    if not isinstance(layers, nn.Sequential):
        raise InputError(f"{name}: torchvision's model has no `features`; use timm's as the stem")
    taps = _last_of_each_stride(layers, max_stride, pad)
    trunk = Tapped(dict(list(layers.named_children())[: taps[-1] + 1]), taps)
    if weights is not None and weights != "hub":
        state = {k.removeprefix("features."): v for k, v in read_weights(weights).items()}
        load_all(weights, trunk, state)
    return trunk


@torch.no_grad()
def _last_of_each_stride(layers: nn.Sequential, max_stride: int, pad: int) -> list[int]:
    """Return the position of the last layer at each stride from 4 to `max_stride`."""
    side = 8 * max_stride
    x = torch.zeros(1, 3, side + 2 * pad, side + 2 * pad)
    strides = []
    for layer in layers.eval():
        x = layer(x)
        strides.append(2 ** round(math.log2(side / x.shape[-2])))  # also where channels are last
    layers.train()
    ends = [i for i, (a, b) in enumerate(pairwise([*strides, math.inf])) if a != b]
    return [i for i in ends if FINEST <= strides[i] <= max_stride]


def finer_channels(stem: Stem, decoder_stride: int) -> list[int]:
    """Return the channels of the maps before the last, from `decoder_stride` on.

    Raises
    ------
    InputError
        There are such maps, but none at `decoder_stride`.
    """
    maps = zip(stem.channels[:-1], stem.strides[:-1], strict=True)
    finer = {stride: channels for channels, stride in maps if stride >= decoder_stride}
    if finer and decoder_stride not in finer:
        raise InputError(
            f"decoder_stride {decoder_stride}: the stem has maps of strides"
            f" {', '.join(map(str, stem.strides))}; use one of these"
        )
    return list(finer.values())
