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
    foreground: Tensor  # log of the sum of the classes' exponentials: logit of any class
    labelled: Tensor  # logit of the pixel's label; without meaning where that is 255

    def cross_entropy(self) -> Tensor:
        """Return -log p(label), (B, H, W); without meaning where the label is 255."""
        return torch.logaddexp(self.background, self.foreground) - self.labelled

    def background_cross_entropy(self, foreground: Tensor) -> Tensor:
        """Return -log p(background), or where `foreground` is 1, -log(1 - p(background)).

        Both are exact where the softmax saturates.
        """
        logit = self.foreground - self.background  # of not being background
        return F.binary_cross_entropy_with_logits(logit, foreground, reduction="none")


def pixel_scores(segmentation: Tensor, labels: Tensor) -> PixelScores:
    """Reduce logits (B, C + 1, H, W) and label maps (B, H, W), with 255, to three planes.

    Autograd would write and add up gradients of all (C + 1) H W values several times; here they are
    written once: on a CPU image by image, so that they stay in its cache.
    """
    indices = labels.long().masked_fill(labels == IGNORE, 0)
    return PixelScores(*_Reduction.apply(segmentation, indices))


class _Reduction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, segmentation: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        precise = torch.promote_types(segmentation.dtype, torch.float32)
        parts = segmentation.split(_together(segmentation))
        foreground = torch.cat([part[:, 1:].to(precise).logsumexp(1) for part in parts])
        labelled = segmentation.gather(1, labels[:, None])[:, 0].to(precise)
        ctx.save_for_backward(segmentation, labels, foreground)
        return segmentation[:, 0].to(precise, copy=True), foreground, labelled

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_background: Tensor, of_foreground: Tensor, of_labelled: Tensor
    ) -> tuple[Tensor, None]:
        segmentation, labels, foreground = ctx.saved_tensors
        gradient, together = torch.empty_like(segmentation), _together(segmentation)
        for start in range(0, len(segmentation), together):
            part = slice(start, start + together)
            own = segmentation[part].to(foreground.dtype, copy=True)
            own[:, 1:].sub_(foreground[part, None]).exp_()  # softmax over the classes
            own[:, 1:].mul_(of_foreground[part, None])
            own[:, 0] = of_background[part]
            own.scatter_add_(1, labels[part, None], of_labelled[part, None])
            gradient[part] = own
        return gradient, None


def _together(segmentation: Tensor) -> int:
    """Return how many images are computed at once."""
    return 1 if segmentation.device.type == "cpu" else max(1, len(segmentation))
