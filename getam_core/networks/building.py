"""The network of a run, assembled from its parts by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from getam_core.errors import InputError, check_name
from getam_core.networks.backbone import build_vit, split_hybrid
from getam_core.networks.cnn import build_cnn
from getam_core.networks.dpt import DPT, default_taps, token_scales
from getam_core.networks.network import SegmentationTransformer
from getam_core.networks.stem import FINEST, build_stem, finer_channels
from getam_core.networks.unused import freeze_unused

HEADS = ("class", "pooled", "ts_cam", "max_pooled")
WIDE = 128  # decoder width from which weight gradients take twice as long in channels_last on AVX2


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
    affinity_blocks: int = 0,
) -> nn.Module:
    """Assemble the network of a run.

    Parameters
    ----------
    name, image_size, num_classes, options, weights
        See `build_vit`. timm's own hybrids (vit_base_r50_s16_384) are split, so that the decoder
        reads the CNN's maps too. None for no transformer: the stem is the backbone, and only the
        arguments of `build_cnn` have an effect. "mit_b0" to "mit_b5" for a Mix Transformer, for
        which only the arguments of `build_mit` have one.
    stem : dict or None
        Arguments of `build_stem`, or None.
    decoder_width : int
        Channels inside the decoder; DPT has 256.
    decoder_stride : int
        Of the finest map that the decoder reads, at which its head works; DPT has 4. The head's
        output is upsampled by 2, then resized to the image.
    decoder_kernel : int
        Side of the decoder's projections; see `FusionDecoder`.
    taps : sequence of int or None
        Blocks that the decoder reads; None for those of `default_taps`.
    readout : str
        See `Reassemble`.
    head : str
        "class", "pooled", "ts_cam" or "max_pooled"; see `SegmentationTransformer`.
    affinity_blocks : int
        See `SegmentationTransformer`.

    Raises
    ------
    InputError
        See `build_vit` and `build_stem`; taps that are not increasing block numbers, or leave out
        the last block under the head "pooled"; a `decoder_stride` at which the stem has no map;
        more `affinity_blocks` than blocks.
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
    if name.startswith("mit_b"):
        from getam_core.networks.mit import build_mit  # mmsegmentation takes seconds to import

        return build_mit(
            name,
            num_classes=num_classes,
            options=options,
            weights=weights,
            decoder_width=decoder_width,
            affinity_blocks=affinity_blocks,
        )
    return _build_transformer(
        name,
        num_classes,
        image_size=image_size,
        options=options,
        weights=weights,
        stem=stem,
        decoder={"width": decoder_width, "readout": readout, "kernel": decoder_kernel},
        decoder_stride=decoder_stride,
        taps=taps,
        head=head,
        affinity_blocks=affinity_blocks,
    )


def _build_transformer(
    name: str,
    num_classes: int,
    *,
    image_size: int | tuple[int, int],
    options: dict[str, Any] | None,
    weights: Path | str | None,
    stem: dict[str, Any] | None,
    decoder: dict[str, Any],
    decoder_stride: int,
    taps: Sequence[int] | None,
    head: str,
    affinity_blocks: int,
) -> nn.Module:
    """Build a ViT of timm with a DPT decoder; `decoder` holds further arguments of `DPT`."""
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
    if cnn is not None:
        freeze_unused(cnn, read=len(finer) + 1)
    taps = _checked_taps(taps, len(vit.blocks), count=4 - len(finer) if finer else 4)
    if head == "pooled" and taps[-1] != len(vit.blocks) - 1:
        raise InputError(
            f"taps {taps}: the head pooled needs the last block, {len(vit.blocks) - 1}"
        )
    if affinity_blocks > len(vit.blocks):
        raise InputError(
            f"affinity_blocks {affinity_blocks}: the network has only {len(vit.blocks)} blocks"
        )
    patch_stride = vit.patch_embed.patch_size[0] * (cnn.stride if cnn is not None else 1)
    network = SegmentationTransformer(
        vit,
        DPT(
            vit.embed_dim,
            scales=token_scales(len(taps), patch_stride, patch_stride if finer else decoder_stride),
            outputs=num_classes + 1,
            stem_channels=finer,
            **decoder,
        ),
        taps,
        cnn,
        stem_maps=len(finer),
        head=head,
        affinity_blocks=affinity_blocks,
    )
    network.to(memory_format=torch.channels_last)  # convolutions: a sixth faster on a CPU
    if cnn is None and network.decoder.width >= WIDE:
        network.decoder.fusion.to(memory_format=torch.contiguous_format)
    return network


def _checked_taps(taps: Sequence[int] | None, depth: int, count: int) -> list[int]:
    if taps is None:
        return default_taps(depth, count)
    taps = list(taps)
    if not taps or taps != sorted(set(taps)) or not 0 <= taps[0] <= taps[-1] < depth:
        raise InputError(f"taps {taps}: expected increasing block numbers from 0 to {depth - 1}")
    return taps
