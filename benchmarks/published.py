"""A step of the second half as the paper describes it and its authors' code runs it.

Attention matrices are part of the graph, every (image, class) pair takes a full backward pass, all
classes are refined by convolutions, and the losses get a forward pass of their own.
Shapes: B images, C classes, M (image, class) pairs, N = h * w patches, H, W pixels.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.explicit import explicit_attention, pair_by_pair
from benchmarks.labels import straightforward_pamr
from getam_core.labels import complete_labels
from getam_core.training import Batch


def step(
    network: nn.Module,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    number_format: torch.dtype = torch.float32,
) -> Tensor:
    """Update once; return the label maps (B, H, W).

    `number_format`, float32 or bfloat16, is that of the network, by autocast. Labels are made, and
    losses computed, in float32.
    """
    mixed = number_format != torch.float32
    autocast = partial(torch.autocast, batch.images.device.type, number_format, enabled=mixed)
    network.eval()
    with autocast():
        maps = pair_by_pair(network, batch.images, batch.targets)
    network.train()
    made = label_all(network, batch, maps.float())
    optimizer.zero_grad()
    with explicit_attention(), autocast():
        logits, segmentation = network.classify_and_segment(batch.images)
    losses(logits.float(), segmentation.float(), batch, made).backward()
    optimizer.step()
    return made


def label_all(network: nn.Module, batch: Batch, maps: Tensor) -> Tensor:
    """Label the images one by one, (B, H, W), from maps (M, N); absent classes are refined too."""
    grid = network.grid(batch.images.shape[-2:])
    planes = batch.images.new_zeros(*batch.targets.shape, *grid)
    planes[batch.targets] = maps.unflatten(1, grid)
    made = []
    for image, own, present, salient in zip(
        batch.images, planes, batch.targets, batch.saliency, strict=True
    ):
        refined = straightforward_pamr(image[None], own[None])[0, present]
        made.append(complete_labels(refined, present.nonzero()[:, 0] + 1, salient))
    return torch.stack(made)


def losses(logits: Tensor, segmentation: Tensor, batch: Batch, labels: Tensor) -> Tensor:
    """Sum of the four terms, each with weight 1."""
    labels = labels.long()
    pixels = F.cross_entropy(segmentation, labels, ignore_index=255, reduction="none")
    background, foreground = labels == 0, (labels > 0) & (labels < 255)
    salient = batch.saliency | foreground
    known = batch.saliency | (labels != 255)
    rest = segmentation[:, 1:].logsumexp(1) - segmentation[:, 0]
    outline = F.binary_cross_entropy_with_logits(rest, salient.float(), reduction="none")
    return (
        F.multilabel_soft_margin_loss(logits, batch.targets.to(logits))
        + pixels[foreground].mean()
        + pixels[background].mean()
        + outline[known].mean()
    )
