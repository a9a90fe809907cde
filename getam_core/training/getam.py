"""GETAM's objective, from images to loss: read a step of training from here to the end of the file.

The first half learns to classify; the second is double backward (Sun et al. 2021, Section 4.3). A
run that is given label maps (another run's labels, or the masks as an upper bound) learns from them
in its second half.

"Double backward" is two backward passes per iteration: the first, over activations only, gives
the maps that become labels; the second updates the network. No gradient flows through the maps.
Shapes: B images, C foreground classes, M (image, class) pairs, h, w patches, H, W pixels.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, replace
from typing import Self

import torch
from torch import Tensor, nn

from getam_core.activation import METHODS, maps_from, record
from getam_core.classes import IGNORE
from getam_core.labels import label_images
from getam_core.networks import random_or_coupled
from getam_core.precision import computes_in_float16
from getam_core.training.dense_energy import DenseEnergy
from getam_core.training.losses import (
    Count,
    Terms,
    alone,
    classification_loss,
    saliency_loss,
    segmentation_losses,
)
from getam_core.training.pixel_scores import pixel_scores

CLASSIFICATION, BOTH = "classification", "both"  # the halves, as metrics.csv calls them
MAP_SCALE = 2.0**10  # of logits with float16 gradients; labels do not depend on the maps' scale


@dataclass(frozen=True)
class Batch:
    """What training sees of B images. An image without a valid pixel does not count.

    All but `targets` is on the device: the number of classes per image decides the shapes of a
    step. Reading it from the device, a few times per step, would make the step wait.
    """

    images: Tensor  # (B, 3, H, W) RGB 0..1
    targets: Tensor  # (B, C) bool, in host memory
    valid: Tensor  # (B, H, W) bool, False in padding
    saliency: Tensor | None  # (B, H, W) bool
    labels: Tensor | None = None  # (B, H, W) uint8, where they are given instead of made

    @classmethod
    def of(
        cls, samples: Mapping[str, Tensor], saliency_threshold: float | None, device: torch.device
    ) -> Self:
        """Put samples of a `TrainingSet` on a device; values above the threshold are salient."""
        moved = {
            name: samples[name].to(device, non_blocking=True)
            for name in ("image", "valid", "saliency", "labels")
            if name in samples
        }
        salient = None if saliency_threshold is None else moved["saliency"] > saliency_threshold
        labels = moved.get("labels")
        return cls(moved["image"], samples["target"], moved["valid"], salient, labels)

    @property
    def counted(self) -> Tensor:
        """Which images count, (B,) bool."""
        return self.valid.flatten(1).any(1)

    def uncounted(self) -> Self:
        """Return this batch with nothing in it that counts."""
        none = {"targets": torch.zeros_like(self.targets), "valid": torch.zeros_like(self.valid)}
        return replace(self, **none)


@dataclass(frozen=True)
class StepOutputs:
    """Losses of one step, and the label maps that it made (None in the classification half)."""

    terms: Terms
    labels: Tensor | None = None


@dataclass(frozen=True)
class Labelling:
    """How a batch is labelled: a method of maps, its arguments, and those of `label_images`."""

    maps: dict = field(default_factory=dict)
    labels: dict = field(default_factory=dict)
    method: str = "getam"  # a name in `activation.METHODS`


class BatchObjective(nn.Module):
    """What objectives of a `TrainingSet` have in common; the first phase only learns to classify.

    Attributes
    ----------
    saliency_threshold : float or None
        Values above it are salient; None for batches without saliency.
    """

    saliency_threshold: float | None

    def leaves_out(self, phase: str) -> bool:
        """Whether some parameters have no part in the loss: at first, all but the classifier's."""
        return phase == CLASSIFICATION

    def batch(self, samples: Mapping[str, Tensor], device: torch.device, *, idle: bool) -> Batch:
        """Put samples of a `TrainingSet` on a device; in an idle part no pixel counts."""
        batch = Batch.of(samples, self.saliency_threshold, device)
        return batch.uncounted() if idle else batch


class Getam(BatchObjective):
    """The loss of a batch, as the loop expects it (`plan.Objective`).

    Parameters
    ----------
    network, labelling
        See `double_backward_step`.
    weights : mapping
        Of the terms, by name.
    classification_epochs : int
        Length of the first half, which leaves out the decoder.
    saliency_threshold : float or None
        Values above it are salient; None for labels and loss without saliency.
    energy : DenseEnergy or None
        See `double_backward_step`; left out where its weight is zero.
    count : Count
        See `losses.Count`.
    """

    terms = tuple(term.name for term in fields(Terms))

    def __init__(
        self,
        network: nn.Module,
        labelling: Labelling,
        weights: Mapping[str, float],
        *,
        classification_epochs: int = 0,
        saliency_threshold: float | None = None,
        energy: DenseEnergy | None = None,
        count: Count = alone,
    ):
        super().__init__()
        self.network, self.labelling, self.weights = network, labelling, weights
        self.classification_epochs = classification_epochs
        self.saliency_threshold, self.count = saliency_threshold, count
        self.energy = energy if weights["dense_energy"] else None

    def phase(self, epochs: float) -> str:
        """Return the half that training is in after this many epochs."""
        return CLASSIFICATION if epochs < self.classification_epochs else BOTH

    def forward(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor]:
        """Return the loss with its graph, and detached, the loss and then the terms in order."""
        network, count = self.network, self.count
        if phase == CLASSIFICATION:
            step = classification_step(network, batch, count)
        elif batch.labels is not None:
            step = given_labels_step(network, batch, self.energy, count)
        else:
            step = double_backward_step(network, batch, self.labelling, self.energy, count)
        loss = step.terms.total(self.weights)
        return loss, torch.stack([loss, *(value for _, value in step.terms.items())]).detach()


def classification_step(network: nn.Module, batch: Batch, count: Count = alone) -> StepOutputs:
    """First half: the classification loss alone."""
    loss = classification_loss(network(batch.images), batch.targets, batch.counted, count)
    zero = loss.new_zeros(())
    return StepOutputs(Terms(loss, zero, zero, zero, zero))


def double_backward_step(
    network: nn.Module,
    batch: Batch,
    labelling: Labelling,
    energy: DenseEnergy | None = None,
    count: Count = alone,
) -> StepOutputs:
    """Second half: maps by a first backward pass, their labels, and the losses for the second.

    One forward pass serves maps, classification and segmentation. Where the network is random or
    couples images (dropout, stochastic depth, batch statistics), the maps come from a separate
    forward pass in evaluation mode; so do those of every method except GETAM.

    Parameters
    ----------
    network : nn.Module
        With `classify_and_segment`, and `grid` for GETAM's maps.
    energy : DenseEnergy or None
        An additional term, or None.
    count : Count
        Gives the divisors that turn sums into means; see `losses.Count`.
    """
    maps, logits, segmentation = _forward_with_maps(network, batch, labelling)
    labels = label_batch(batch, maps, labelling.labels)
    return StepOutputs(_terms(batch, labels, logits, segmentation, energy, count), labels)


def given_labels_step(
    network: nn.Module, batch: Batch, energy: DenseEnergy | None = None, count: Count = alone
) -> StepOutputs:
    """Second half on the label maps given with the batch: the same losses, no activation maps."""
    logits, segmentation = network.classify_and_segment(batch.images)
    labels = batch.labels.masked_fill(~batch.valid, IGNORE)
    return StepOutputs(_terms(batch, labels, logits, segmentation, energy, count), labels)


def _terms(
    batch: Batch,
    labels: Tensor,
    logits: Tensor,
    segmentation: Tensor,
    energy: DenseEnergy | None,
    count: Count,
) -> Terms:
    """Return the terms of the second half; without saliency or energy, its term is zero."""
    classified = classification_loss(logits, batch.targets, batch.counted, count)
    scores = pixel_scores(segmentation, labels)
    foreground, background = segmentation_losses(scores, labels, count)
    salient = uneven = logits.new_zeros(())
    if batch.saliency is not None:
        salient = saliency_loss(scores, labels, batch.saliency, batch.valid, count)
    if energy is not None:
        energies = energy(batch.images, segmentation, batch.valid)
        uneven = energies.sum() / count(batch.counted.sum())
    return Terms(classified, foreground, background, salient, uneven)


def _forward_with_maps(
    network: nn.Module, batch: Batch, labelling: Labelling
) -> tuple[Tensor, Tensor, Tensor]:
    """Return maps (M, h, w), logits (B, C) and segmentation (B, C + 1, H, W).

    The last two have their graph, which the maps' backward passes keep.
    """
    if labelling.method != "getam" or random_or_coupled(network):
        return map_pass(network, batch, labelling), *network.classify_and_segment(batch.images)
    with record(network) as tape:
        logits, segmentation = network.classify_and_segment(batch.images)
    scaled = MAP_SCALE * logits if computes_in_float16(logits.device) else logits
    grid = network.grid(batch.images.shape[-2:])
    maps = maps_from(tape, scaled, batch.targets, grid=grid, **labelling.maps)
    return maps, logits, segmentation


def map_pass(network: nn.Module, batch: Batch, labelling: Labelling) -> Tensor:
    """Make the maps (M, h, w) by a separate forward pass, in float32 where others use float16."""
    kind = batch.images.device.type
    half = computes_in_float16(batch.images.device)
    with torch.autocast(kind, enabled=False) if half else nullcontext():
        method = METHODS[labelling.method]
        return method(network, batch.images, batch.targets, check=False, **labelling.maps)[0]


@torch.no_grad()
def label_batch(batch: Batch, maps: Tensor, arguments: dict) -> Tensor:
    """Label every image of the batch from its maps (M, h, w): (B, H, W) uint8, padding is 255.

    This does not wait for the device. NaN in the maps is no error here, since the loss shows it.
    """
    owner, classes = batch.targets.cpu().nonzero(as_tuple=True)
    labels = label_images(batch.images, maps, owner, classes + 1, batch.saliency, **arguments)
    return labels.masked_fill(~batch.valid, IGNORE)
