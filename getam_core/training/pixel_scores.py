"""What the losses of a segmentation need of its logits: three planes, whatever the classes."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from getam_core.classes import IGNORE


class PixelScores(NamedTuple):
    """Of every pixel, each (B, H, W), at least float32."""

    background: Tensor  # its logit
    classes: Tensor  # log of the sum of the classes' exponentials
    labelled: Tensor  # logit of the pixel's label; without meaning where that is 255

    def cross_entropy(self) -> Tensor:
        """Return -log p(label), (B, H, W); without meaning where the label is 255."""
        return torch.logaddexp(self.background, self.classes) - self.labelled

    def background_cross_entropy(self, foreground: Tensor) -> Tensor:
        """Return -log p(background), or where `foreground` is 1, -log(1 - p(background)).

        Both are exact where the softmax saturates.
        """
        logit = self.classes - self.background  # of not being background
        return F.binary_cross_entropy_with_logits(logit, foreground, reduction="none")


def pixel_scores(segmentation: Tensor, labels: Tensor) -> PixelScores:
    """Reduce logits (B, C + 1, H, W) and label maps (B, H, W), with 255, to three planes.

    Autograd would write and add up gradients of all (C + 1) H W values several times; here they are
    written once, image by image, so that they stay in the cache of a CPU.
    """
    shown = labels.long().masked_fill(labels == IGNORE, 0)
    return PixelScores(*_PixelScores.apply(segmentation, shown))


class _PixelScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, segmentation: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        precise = torch.promote_types(segmentation.dtype, torch.float32)
        classes = torch.stack([image[1:].to(precise).logsumexp(0) for image in segmentation])
        labelled = segmentation.gather(1, labels[:, None])[:, 0].to(precise)
        ctx.save_for_backward(segmentation, labels, classes)
        return segmentation[:, 0].to(precise, copy=True), classes, labelled

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_background: Tensor, of_classes: Tensor, of_labelled: Tensor
    ) -> tuple[Tensor, None]:
        segmentation, labels, classes = ctx.saved_tensors
        gradient = torch.empty_like(segmentation)
        for image, logits in enumerate(segmentation):
            own = logits.to(classes.dtype, copy=True)
            own[1:].sub_(classes[image]).exp_().mul_(of_classes[image])  # softmax over classes
            own[0] = of_background[image]
            own.scatter_add_(0, labels[image, None], of_labelled[image, None])
            gradient[image] = own
        return gradient, None
