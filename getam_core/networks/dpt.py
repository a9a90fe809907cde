"""The DPT decoder: tokens and feature maps to a dense map (Ranftl et al. 2021, Sec. 3).

Shapes: B images, N = h * w patches, T prefix tokens, E token width, F decoder width.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from getam_core.errors import check_name
from getam_core.resizing import resize_tensor

READOUTS = ("project", "add", "ignore")


class ResidualUnit(nn.Module):
    """RefineNet's residual convolution unit, without batch norm (a batch is 4 images)."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, h, w) -> (B, F, h, w)."""
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class FusionStage(nn.Module):
    """Take in one map: project it, add the result of the coarser maps, refine.

    DPT upsamples before the final 1x1 convolution; the two commute, so here the convolution runs
    first, on the smaller map.
    """

    def __init__(self, channels: int, width: int, *, kernel: int, coarsest: bool):
        super().__init__()
        self.projection = nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False)
        self.skip = None if coarsest else ResidualUnit(width)
        self.refine = ResidualUnit(width)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, feature_map: Tensor, coarser: Tensor | None) -> Tensor:
        """(B, channels, h, w), (B, F, h', w') or None -> (B, F, h, w)."""
        x = self.projection(feature_map)
        if self.skip is not None:
            x = self.skip(x) + resize_tensor(coarser, x.shape[-2:])
        return self.out(self.refine(x))


class FusionDecoder(nn.Module):
    """Fuse maps from coarse to fine into one dense prediction.

    Parameters
    ----------
    in_channels : sequence of int
        Of the maps, fine to coarse, each about twice as coarse as the one before.
    width : int
        Channels F inside the decoder.
    outputs : int
        Channels of the prediction.
    kernel : int
        Side of the projections to `width`, odd. DPT's is 3; 1 makes a narrow decoder on the wide
        fine maps of a CNN about 1.6 times faster.
    """

    def __init__(self, in_channels: Sequence[int], width: int, outputs: int, *, kernel: int = 3):
        super().__init__()
        last = len(in_channels) - 1
        self.stages = nn.ModuleList(
            FusionStage(channels, width, kernel=kernel, coarsest=i == last)
            for i, channels in enumerate(in_channels)
        )
        self.head = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, outputs, 1)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Fuse maps, fine to coarse, the finest (B, channels, h, w) -> (B, outputs, 2h, 2w)."""
        x = None
        for stage, feature_map in zip(reversed(self.stages), reversed(maps), strict=True):
            x = stage(_as_weights_lie(feature_map, self.head[0].weight), x)
        h, w = x.shape[-2:]
        return resize_tensor(self.head(x), (2 * h, 2 * w))


def _as_weights_lie(feature_map: Tensor, weight: Tensor) -> Tensor:
    """On a CPU, return the map in the memory layout of the weights; a GPU takes either."""
    if not feature_map.is_cpu or weight.is_contiguous(memory_format=torch.channels_last):
        return feature_map
    return feature_map.contiguous()


class Reassemble(nn.Module):
    """Turn tokens of one block into a map at `scale` times the patch grid (Sec. 3, "Reassemble").

    Parameters
    ----------
    embed_dim : int
        Token width E.
    width : int
        Channels of the map.
    scale : float
        A power of two, e.g. 4, 2, 1, 0.5.
    readout : str
        What happens to the [class] token: "project" (concatenated to every patch and projected),
        "add", "ignore".
    """

    def __init__(self, embed_dim: int, width: int, scale: float, readout: str = "project"):
        super().__init__()
        check_name("readout", readout, READOUTS)
        self.readout = readout
        if readout == "project":
            # One linear layer on [patch, class], in two parts: the class part once per image.
            self.of_patch = nn.Linear(embed_dim, embed_dim)
            self.of_class = nn.Linear(embed_dim, embed_dim, bias=False)
        self.project = nn.Conv2d(embed_dim, width, 1)
        self.scale = _rescaling(width, scale)

    def forward(self, patches: Tensor, class_token: Tensor, grid: tuple[int, int]) -> Tensor:
        """(B, N, E), (B, 1, E), (h, w) -> (B, F, h * scale, w * scale)."""
        if self.readout == "project":
            patches = F.gelu(self.of_patch(patches) + self.of_class(class_token))
        elif self.readout == "add":
            patches = patches + class_token
        x = patches.transpose(1, 2).unflatten(2, grid)  # (B, N, E) -> (B, E, h, w)
        return self.scale(self.project(x))


def _rescaling(width: int, scale: float) -> nn.Module:
    if scale > 1:
        return nn.ConvTranspose2d(width, width, int(scale), stride=int(scale))
    if scale < 1:
        step = round(1 / scale)
        return nn.Conv2d(width, width, 2 * step - 1, stride=step, padding=step - 1)
    return nn.Identity()


class Reassembly(nn.ModuleList):
    """The `Reassemble` stages of all taps, shallow to deep."""

    def forward(
        self, tapped: Sequence[tuple[Tensor, Tensor]], grid: tuple[int, int]
    ) -> list[Tensor]:
        """Make the maps of the last taps, fine to coarse, (B, F, h * scale, w * scale) each.

        A tap is (patches (B, N, E), prefix (B, T, E)).
        """
        stages = list(self)[len(self) - len(tapped) :]
        return [
            stage(patches, prefix[:, :1], grid)  # the [class] token is the first prefix token
            for stage, (patches, prefix) in zip(stages, tapped, strict=True)
        ]


class DPT(nn.Module):
    """Dense prediction from tokens at some depths and, in a hybrid, from the stem's finer maps.

    `reassemble` turns tokens into maps; `fusion` turns these and the stem's maps into a prediction.

    Parameters
    ----------
    embed_dim : int
        Token width E.
    scales : sequence of float
        Of the tapped tokens' maps, relative to the patch grid; see `token_scales`.
    stem_channels : sequence of int
        Of the stem's maps that are read too, all finer than the tokens' maps.
    width, outputs, kernel : int
        See `FusionDecoder`.
    readout : str
        See `Reassemble`.
    """

    def __init__(
        self,
        embed_dim: int,
        *,
        scales: Sequence[float],
        width: int,
        outputs: int,
        stem_channels: Sequence[int] = (),
        readout: str = "project",
        kernel: int = 3,
    ):
        super().__init__()
        self.width, self.outputs = width, outputs
        self.reassemble = Reassembly(
            Reassemble(embed_dim, width, scale, readout) for scale in scales
        )
        channels = [*stem_channels, *[width] * len(scales)]
        self.fusion = FusionDecoder(channels, width, outputs, kernel=kernel)


def token_scales(count: int, patch_stride: int, finest: int) -> list[float]:
    """Return `count` scales, each half the last; the first takes patches to stride `finest`.

    `patch_stride` is in pixels. As in the paper: from 16 px to stride 4, [4, 2, 1, 1/2]; in a
    hybrid, where the finest map of tokens has stride 16, [1, 1/2].
    """
    first = 2.0 ** round(math.log2(patch_stride / finest))
    return [first / 2**i for i in range(count)]


def default_taps(depth: int, count: int) -> list[int]:
    """Return the blocks DPT reads: the last `count` of four spread over the depth.

    Of 12 blocks: [2, 5, 8, 11], and [8, 11] for a count of 2. Of fewer than 4: the last ones.
    """
    if depth < 4:
        return list(range(depth))[-count:]
    return [math.ceil(depth * quarter / 4) - 1 for quarter in (1, 2, 3, 4)][-count:]
