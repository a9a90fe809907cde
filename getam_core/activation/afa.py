"""AFA's class maps, and the affinity that its network has learned (Ru et al. 2022).

Shapes: B images, C classes, M (image, class) pairs, (h, w) patches, N = h * w.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from getam_core.activation.averaging import views
from getam_core.activation.models import check_images, check_logits
from getam_core.activation.passes import check_targets, pairs_of
from getam_core.activation.tape import Tape, for_maps, record
from getam_core.errors import InputError
from getam_core.resizing import resize_tensor

SCALES = (1.0, 0.5, 1.5)


@dataclass(frozen=True)
class Located:
    """What is computed from the views of a batch."""

    maps: Tensor  # (M, h, w), each from 0 to 1
    affinity: Tensor | None  # (B, N, N), of the largest view, not mirrored; None without its head
    grid: tuple[int, int]  # of `affinity`
    logits: Tensor | None = None  # (B, C), the mean over the views


def afa(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    scales: Sequence[float] = SCALES,
    flip: bool = True,
    check: bool = True,
) -> tuple[Tensor, Tensor]:
    """Make AFA's class maps.

    Parameters
    ----------
    model : nn.Module
        With the head "max_pooled".
    images : (B, 3, H, W) Tensor
        As the model expects them.
    targets : (B, C) bool Tensor
    scales, flip
        See `located`.
    check : bool
        See `getam`.

    Returns
    -------
    maps : (M, h, w) Tensor, each from 0 to 1, in the order of `targets.nonzero()`.
    logits : (B, C) Tensor, the mean over the views.
    """
    found = located(model, images, targets, scales=scales, flip=flip, check=check)
    return found.maps, found.logits


@torch.no_grad()
def located(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    scales: Sequence[float] = SCALES,
    flip: bool = True,
    size: Sequence[int] | None = None,
    check: bool = True,
) -> Located:
    """Run the model on all views; take the maximum over mirror images, relu, sum over scales.

    Each map is then shifted and scaled to the range 0 to 1.

    Parameters
    ----------
    model, images, targets
        As in `afa`.
    scales : sequence of float
        Factors on the sides of the images.
    flip : bool
        Whether to run the mirror images too.
    size : sequence of int or None
        Size of the maps; None for the patch grid of the unscaled images.
    check : bool
        See `getam`.

    Raises
    ------
    InputError
        A model without the head "max_pooled"; images or targets that do not fit.
    """
    check_images(model, images)
    _check_head(model)
    size, kept, scores, total = size or model.grid(images.shape[-2:]), None, [], 0
    with for_maps(model, images) as anchored, torch.no_grad():
        for scale in scales:
            found = []
            for view, mirrored in views(anchored, [scale], flip, model.stride):
                with record(model, prefix=model.num_prefix_tokens) as tape:
                    class_maps, logits = model.locate(view)
                pairs = pairs_of(check_targets(logits, targets), logits.device)
                maps = class_maps[pairs]
                maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
                maps = resize_tensor(maps, size, antialias=True)
                found.append(maps.flip(-1) if mirrored else maps)
                scores.append(check_logits(logits) if check else logits)
                if scale == max(scales) and not mirrored and model.affinity is not None:
                    kept = affinity_from(model, tape), model.grid(view.shape[-2:])
            total = total + torch.stack(found).amax(0).relu()
    affinity, grid = kept or (None, model.grid(images.shape[-2:]))
    return Located(_from_0_to_1(total), affinity, grid, torch.stack(scores).mean(0))


def _check_head(model: nn.Module) -> None:
    if not hasattr(model, "locate") or not model.takes_maximum:
        raise InputError("afa: the network has no AFA head; set model.head to max_pooled")


def _from_0_to_1(maps: Tensor) -> Tensor:
    above = maps - maps.amin((-2, -1), keepdim=True)
    return above / above.amax((-2, -1), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)


def affinity_from(model: nn.Module, tape: Tape) -> Tensor:
    """Return the patch affinity (B, N, N) of a recorded forward pass.

    Raises
    ------
    InputError
        The model has no affinity head.
    """
    if getattr(model, "affinity", None) is None:
        raise InputError(
            "the network has learned no affinity: train it with train.method: afa and"
            " model.affinity_blocks"
        )
    blocks = tape.select(model.affinity_blocks)
    return model.affinity([(block.query, block.key) for block in blocks], tape.prefix)


@torch.no_grad()
def affinity_of(
    model: nn.Module, images: Tensor, scale: float = 1.0
) -> tuple[Tensor, tuple[int, int]]:
    """Return the affinity (B, N, N) of images at one scale, and its grid (h, w)."""
    with for_maps(model, images) as anchored, torch.no_grad():
        (view, _), *_ = views(anchored, [scale], False, model.stride)
        with record(model, prefix=model.num_prefix_tokens) as tape:
            model(view)
        return affinity_from(model, tape), model.grid(view.shape[-2:])
