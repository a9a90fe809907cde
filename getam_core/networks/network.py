"""One network with two outputs: class logits from the tokens, a segmentation from DPT.

Shapes: B images, C foreground classes, (H, W) pixels, (h, w) patches, N = h * w, T prefix tokens.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from getam_core.errors import InputError, check_name
from getam_core.networks.backbone import build_vit, normalisation, split_hybrid
from getam_core.networks.cnn import SegmentationCNN, build_cnn
from getam_core.networks.dpt import DPT, default_taps, token_scales
from getam_core.networks.stem import FINEST, Stem, build_stem, finer_channels
from getam_core.resizing import resize_tensor

HEADS = ("class", "pooled", "ts_cam")


class SegmentationTransformer(nn.Module):
    """A ViT, its CNN stem if it has one, and a DPT decoder on their features.

    Parameters
    ----------
    vit : with a [class] token; on the stem's last map when there is a stem.
    decoder : C + 1 outputs, background first.
    taps : blocks whose tokens the decoder reads.
    stem : CNN in front of the transformer, or None.
    stem_maps : how many of the stem's maps, the last left out, the decoder reads, counted from
        the coarse end.
    head : what the class logits are of.
        "class": the [class] token, by `vit`'s own head.
        "pooled": the mean of the last reassembled map, by a linear layer, as in GETAM's released
        code. `vit` then needs no head, and loses its last norm, which nothing reads.
        "ts_cam": a 3 x 3 convolution of the last patch tokens, of which the logit is the mean (Gao
        et al. 2021).
    """

    def __init__(
        self,
        vit: VisionTransformer,
        decoder: DPT,
        taps: Sequence[int],
        stem: Stem | None = None,
        stem_maps: int = 0,
        head: str = "class",
    ):
        super().__init__()
        classes = decoder.outputs - 1
        self.vit, self.decoder, self.stem = vit, decoder, stem
        self.normalise = normalisation(vit) if stem is None else None
        self.class_maps = self.pooled = None
        if head == "ts_cam":
            self.class_maps = nn.Conv2d(vit.embed_dim, classes, 3, padding=1)
        elif head == "pooled":
            self.pooled, vit.norm = nn.Linear(decoder.width, classes), nn.Identity()
        self.taps, self.stem_maps = list(taps), stem_maps
        self.stride = vit.patch_embed.patch_size[0] * (stem.stride if stem is not None else 1)

    @property
    def num_prefix_tokens(self) -> int:
        """T: the [class] token and those beside it (distillation, registers)."""
        return self.vit.num_prefix_tokens

    def grid(self, image_size: Sequence[int]) -> tuple[int, int]:
        """Return the patch grid (h, w) for images of (H, W) pixels.

        Raises
        ------
        InputError
            A side is not a multiple of `stride`.
        """
        height, width = image_size
        if height % self.stride or width % self.stride:
            raise InputError(
                f"image of {height} x {width} px: sides must be multiples of {self.stride},"
                " the stride of this network; resize or crop it"
            )
        return height // self.stride, width // self.stride

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), RGB 0..1 -> class logits (B, C)."""
        grid = self.grid(images.shape[-2:])
        _, x = self._embed(images)
        if self.pooled is None:
            return self._classify(self.vit.forward_features(x), grid)
        _, tapped = self._tokens(x, self.taps[-1:])
        return self._classify_map(self.decoder.reassemble(tapped, grid)[-1])

    def classify_and_segment(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run one forward pass for both outputs.

        Parameters
        ----------
        images : (B, 3, H, W) Tensor
            RGB, 0..1; sides multiples of `stride`.

        Returns
        -------
        logits : (B, C) Tensor
            Class logits, the same as `forward` gives.
        segmentation : (B, C + 1, H, W) Tensor
            Logits of background and classes for every pixel, resized from the decoder's.
        """
        grid = self.grid(images.shape[-2:])
        stem_maps, x = self._embed(images)
        tokens, tapped = self._tokens(x, self.taps)
        maps = self.decoder.reassemble(tapped, grid)
        segmentation = resize_tensor(self.decoder.fusion([*stem_maps, *maps]), images.shape[-2:])
        if self.pooled is None:
            return self._classify(tokens, grid), segmentation
        return self._classify_map(maps[-1]), segmentation

    def _embed(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the stem's maps for the decoder, and what the transformer cuts into patches."""
        if self.stem is None:
            return [], self.normalise(images)
        *finer, last = self.stem(images)
        return finer[len(finer) - self.stem_maps :], last

    def _tokens(self, x: Tensor, taps: Sequence[int]) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the last tokens (B, T + N, E), and the tapped (patches, prefix) before norms."""
        return self.vit.forward_intermediates(
            x, indices=list(taps), return_prefix_tokens=True, output_fmt="NLC"
        )

    def _classify_map(self, last_map: Tensor) -> Tensor:
        """Last reassembled map (B, F, h', w') -> class logits (B, C)."""
        return self.pooled(last_map.mean((2, 3)))

    def _classify(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, T + N, E) after the last norm -> class logits (B, C)."""
        if self.class_maps is None:
            return self.vit.forward_head(tokens)
        patches = tokens[:, self.num_prefix_tokens :].transpose(1, 2).unflatten(2, grid)
        return self.class_maps(patches).mean((2, 3))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all parameters once: "backbone" (transformer), "stem", "heads" (new layers)."""
        heads = nn.ModuleList([self.decoder, self.vit.head])
        if hasattr(self.vit, "head_dist"):
            heads.append(self.vit.head_dist)
        heads.extend(head for head in (self.class_maps, self.pooled) if head is not None)
        in_heads = {id(p) for p in heads.parameters()}
        return {
            "backbone": [p for p in self.vit.parameters() if id(p) not in in_heads],
            "stem": list(self.stem.parameters()) if self.stem is not None else [],
            "heads": list(heads.parameters()),
        }


def build_network(
    *,
    name: str | None,
    num_classes: int,
    image_size: int | tuple[int, int],
    options: dict[str, Any] | None = None,
    weights: Path | str | None = None,
    stem: dict[str, Any] | None = None,
    decoder_width: int = 256,
    decoder_stride: int = FINEST,
    decoder_kernel: int = 3,
    taps: Sequence[int] | None = None,
    readout: str = "project",
    head: str = "class",
) -> SegmentationTransformer | SegmentationCNN:
    """Assemble the network of a run.

    Parameters
    ----------
    name, image_size, num_classes, options, weights : see `build_vit`. timm's own hybrids
        (vit_base_r50_s16_384) are split, so that the decoder reads the CNN's maps too. None for
        no transformer: the stem is the backbone, and everything else but the decoder's arguments
        is without effect; see `build_cnn`.
    stem : arguments of `build_stem`, or None.
    decoder_width : channels inside the decoder; DPT has 256.
    decoder_stride : of the finest map that the decoder reads, where its head works; DPT has 4.
        The head's output is doubled, then resized to the image.
    decoder_kernel : side of the decoder's projections; see `FusionDecoder`.
    taps : blocks that the decoder reads; None for those of `default_taps`.
    readout : see `Reassemble`.
    head : "class", "pooled" or "ts_cam"; see `SegmentationTransformer`.

    Raises
    ------
    InputError
        See `build_vit` and `build_stem`; taps that are not increasing block numbers, or leave out
        the last block under the head "pooled"; a `decoder_stride` at which the stem has no map.
    """
    check_name("head", head, HEADS)
    if name is None:
        return build_cnn(
            stem=stem,
            num_classes=num_classes,
            decoder_width=decoder_width,
            decoder_stride=decoder_stride,
            decoder_kernel=decoder_kernel,
        )
    cnn = build_stem(**stem) if stem is not None else None
    vit = build_vit(
        name,
        image_size=image_size,
        num_classes=num_classes if head == "class" else 0,
        options=options,
        weights=weights,
        stem=cnn,
    )
    cnn = cnn or split_hybrid(vit, name)
    finer = finer_channels(cnn, decoder_stride) if cnn is not None else []
    taps = _checked_taps(taps, len(vit.blocks), count=4 - len(finer) if finer else 4)
    if head == "pooled" and taps[-1] != len(vit.blocks) - 1:
        raise InputError(f"taps {taps}: the head pooled needs the last, {len(vit.blocks) - 1}")
    patch_stride = vit.patch_embed.patch_size[0] * (cnn.stride if cnn is not None else 1)
    decoder = DPT(
        vit.embed_dim,
        scales=token_scales(len(taps), patch_stride, patch_stride if finer else decoder_stride),
        width=decoder_width,
        outputs=num_classes + 1,
        stem_channels=finer,
        readout=readout,
        kernel=decoder_kernel,
    )
    network = SegmentationTransformer(vit, decoder, taps, cnn, stem_maps=len(finer), head=head)
    return network.to(memory_format=torch.channels_last)  # convolutions: a sixth faster on a CPU


def _checked_taps(taps: Sequence[int] | None, depth: int, count: int) -> list[int]:
    if taps is None:
        return default_taps(depth, count)
    taps = list(taps)
    if not taps or taps != sorted(set(taps)) or not 0 <= taps[0] <= taps[-1] < depth:
        raise InputError(f"taps {taps}: expected increasing block numbers from 0 to {depth - 1}")
    return taps
