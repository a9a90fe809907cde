"""One step of training: classification alone, or double backward (Sun et al. 2021, Section 4.3).

"Double backward" is two backward passes in an iteration: the first, over activations only, gives
the maps that become labels; the second updates the network. No gradient flows through the maps.
Shapes: B images, C foreground classes, M (image, class) pairs, h, w patches, H, W pixels.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from getam_core.activation import METHODS, maps_from, record
from getam_core.classes import IGNORE
from getam_core.labels import label_images
from getam_core.training.losses import (
    Terms,
    classification_loss,
    saliency_loss,
    segmentation_losses,
)


@dataclass(frozen=True)
class Batch:
    """What training sees of B images: never a mask."""

    images: Tensor  # (B, 3, H, W) RGB 0..1
    targets: Tensor  # (B, C) bool
    valid: Tensor  # (B, H, W) bool, False in padding
    saliency: Tensor | None  # (B, H, W) bool


@dataclass(frozen=True)
class StepOutputs:
    """Losses of one step, and the label maps that it made (None in the classification half)."""

    terms: Terms
    labels: Tensor | None = None


@dataclass(frozen=True)
class Labelling:
    """How a batch is labelled: arguments of a method of maps and of `label_images`."""

    maps: dict = field(default_factory=dict)
    labels: dict = field(default_factory=dict)
    method: str = "getam"  # a name in `activation.METHODS`


def classification_step(network: nn.Module, batch: Batch) -> StepOutputs:
    """First half: the classification loss alone."""
    loss = classification_loss(network(batch.images), batch.targets)
    zero = loss.new_zeros(())
    return StepOutputs(Terms(loss, zero, zero, zero))


def double_backward_step(network: nn.Module, batch: Batch, labelling: Labelling) -> StepOutputs:
    """Second half: maps by a first backward pass, their labels, and the losses for the second.

    One forward pass serves maps, classification and segmentation. Where the network is random or
    couples images (dropout, stochastic depth, batch statistics), the maps come from a forward pass
    of their own in evaluation mode; so do those of every method but GETAM.
    """
    maps, logits, segmentation = _forward_with_maps(network, batch, labelling)
    labels = label_batch(batch, maps, labelling.labels)
    foreground, background = segmentation_losses(segmentation, labels)
    salient = (
        saliency_loss(segmentation, labels, batch.saliency, batch.valid)
        if batch.saliency is not None
        else logits.new_zeros(())
    )
    classified = classification_loss(logits, batch.targets)
    return StepOutputs(Terms(classified, foreground, background, salient), labels)


def _forward_with_maps(
    network: nn.Module, batch: Batch, labelling: Labelling
) -> tuple[Tensor, Tensor, Tensor]:
    if labelling.method != "getam" or needs_own_map_pass(network):
        method = METHODS[labelling.method]
        maps, _ = method(network, batch.images, batch.targets, **labelling.maps)
        return maps, *network.classify_and_segment(batch.images)
    with record(network) as tape:
        logits, segmentation = network.classify_and_segment(batch.images)
    grid = network.grid(batch.images.shape[-2:])
    return (
        maps_from(tape, logits, batch.targets, grid=grid, **labelling.maps),
        logits,
        segmentation,
    )


def needs_own_map_pass(network: nn.Module) -> bool:
    """Whether a training-mode forward pass is random or couples the images of a batch."""
    return any(_is_random_or_coupled(module) for module in network.modules() if module.training)


def _is_random_or_coupled(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return True
    # torch names the probability `p`, timm's DropPath and attention `drop_prob`, `attn_drop_rate`
    is_drop = isinstance(module, nn.modules.dropout._DropoutNd) or hasattr(module, "drop_prob")
    return is_drop and max(getattr(module, "p", 0) or 0, getattr(module, "drop_prob", 0) or 0) > 0


@torch.no_grad()
def label_batch(batch: Batch, maps: Tensor, arguments: dict) -> Tensor:
    """Label every image of the batch from its maps (M, h, w): (B, H, W) uint8, padding is 255."""
    owner, classes = batch.targets.nonzero(as_tuple=True)
    labels = label_images(batch.images, maps, owner, classes + 1, batch.saliency, **arguments)
    return labels.masked_fill(~batch.valid, IGNORE)
