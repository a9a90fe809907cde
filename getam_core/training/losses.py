"""The terms of the objective (Sun et al. 2021, Section 4.3).

Shapes: B images, C foreground classes, H, W pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.training.pixel_scores import PixelScores

Count = Callable[[Tensor], Tensor]  # number of items -> divisor that turns their sum into a mean


def alone(number: Tensor) -> Tensor:
    """Return the divisor of a mean in one process; a mean over nothing is then zero."""
    return number.clamp(min=1)


@dataclass(frozen=True)
class Terms:
    """The terms of one step, scalars before weighting; a term that does not apply is zero."""

    classification: Tensor
    foreground: Tensor
    background: Tensor
    saliency: Tensor
    dense_energy: Tensor

    def total(self, weights: "dict[str, float]") -> Tensor:
        """Sum of the terms, each times its weight."""
        return sum(weights[name] * value for name, value in self.items())

    def items(self) -> list[tuple[str, Tensor]]:
        """Name and value of each term."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


def classification_loss(
    logits: Tensor, targets: Tensor, counted: Tensor, count: Count = alone
) -> Tensor:
    """Multi-label soft margin loss of logits (B, C) against bool targets (B, C).

    The mean is over the images of `counted`, (B,) bool, in all processes; see `Processes.count`.
    The targets may be in host memory.
    """
    targets = targets.to(logits.device, torch.float32, non_blocking=True)
    loss = F.multilabel_soft_margin_loss(logits.float(), targets, reduction="none")
    return _mean_over(loss, counted, count)


def segmentation_losses(
    scores: PixelScores, labels: Tensor, count: Count = alone
) -> tuple[Tensor, Tensor]:
    """Cross entropy over foreground and over background pixels, each with its own mean.

    Background covers most of an image; two means keep it from dominating the classes. A batch
    without foreground (or background) pixels gives zero for that term, where the released code
    gives NaN.

    Parameters
    ----------
    scores : PixelScores
        Of the segmentation's logits and these labels.
    labels : (B, H, W) integer Tensor
        0 background, 1..C classes, 255 ignored.
    """
    loss = scores.cross_entropy()
    background = labels == BACKGROUND
    foreground = ~background & (labels != IGNORE)
    return _mean_over(loss, foreground, count), _mean_over(loss, background, count)


def saliency_loss(
    scores: PixelScores, labels: Tensor, saliency: Tensor, valid: Tensor, count: Count = alone
) -> Tensor:
    """Binary cross entropy of the background probability against 1 - saliency.

    Pixels that completion labelled with a class count as salient, so that this term does not undo
    high-activation mining (Eq. 5) in the non-salient area; those that several classes claim there
    are left out.

    Parameters
    ----------
    scores : PixelScores
        Of the segmentation's logits.
    labels : (B, H, W) integer Tensor
        The label maps, with 255.
    saliency, valid : (B, H, W) bool Tensor
        Salient pixels; pixels of the image, not of the padding.
    """
    mined = (labels != BACKGROUND) & (labels != IGNORE)
    foreground = (saliency | mined).to(scores.foreground.dtype)
    counted = valid & (saliency | (labels != IGNORE))
    return _mean_over(scores.background_cross_entropy(foreground), counted, count)


def _mean_over(values: Tensor, where: Tensor, count: Count) -> Tensor:
    return values.masked_fill(~where, 0).sum() / count(where.sum())
