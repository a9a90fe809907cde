"""AFA's step as the paper puts it: every head's (N, N) matrix, loops over images, nothing shared.

Written independently from Ru et al. 2022, Sections 3.2 to 3.4; ours is tested and timed against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from getam_core.activation import Tape, record
from getam_core.refine import par
from getam_core.training import Batch

HIGH, LOW, RADIUS, SCALES = 0.55, 0.35, 8, (1.0, 0.5, 1.5)


@dataclass(frozen=True)
class PlainStep:
    """Loss with its graph, its three terms, and the labels that segmentation learns from."""

    loss: Tensor
    terms: tuple[Tensor, Tensor, Tensor]  # classification, segmentation, affinity
    labels: Tensor  # (B, H, W)


def step(network: nn.Module, batch: Batch, *, propagated: bool, radius: int = RADIUS) -> PlainStep:
    """Compute one step's losses, without an update. Affinities are within `radius` cells."""
    with record(network, prefix=network.num_prefix_tokens, keep_graph=True) as tape:
        logits, segmentation = network.classify_and_segment(batch.images)
    affinity = dense_affinity(network, tape)
    cams, large_affinity, grid = class_maps(network, batch.images)
    reliable, learned = [], []
    for b, image in enumerate(batch.images):
        present = batch.targets[b].nonzero()[:, 0]
        maps = cams[b, present]
        reliable.append(label(image, scores_of(maps), present))
        small = F.interpolate(maps[None], grid, mode="bilinear")[0] if len(present) else maps
        walked = [
            random_walk(s, large_affinity[b], near_pairs(grid, radius))
            for s in scores_of(small, grid)
        ]
        learned.append(label(image, walked, present))
    reliable, learned = (
        torch.stack(maps).masked_fill(~batch.valid, 255) for maps in (reliable, learned)
    )
    labels = learned if propagated else reliable
    classified = F.multilabel_soft_margin_loss(logits, batch.targets.float())
    small_grid = network.grid(batch.images.shape[-2:])
    halves = [over(segmentation, labels, where) for where in (labels == 0, labels > 0)]
    segmented = sum(halves) / 2
    learned_affinity = affinity_term(affinity, reliable, small_grid, near_pairs(small_grid, radius))
    terms = (classified, segmented, learned_affinity)
    return PlainStep(classified + 0.1 * segmented + 0.1 * learned_affinity, terms, labels)


def dense_affinity(network: nn.Module, tape: Tape) -> Tensor:
    """Apply a 1 x 1 convolution to the symmetric raw scores of all heads, (B, heads, N, N)."""
    matrices = []
    for block in tape.blocks[-network.affinity_blocks :]:
        query, key = block.query[:, :, tape.prefix :], block.key[:, :, tape.prefix :]
        matrices.append(query @ key.transpose(-2, -1))
    stacked = torch.cat(matrices, 1)
    symmetric = stacked + stacked.transpose(-2, -1)
    weight = network.affinity.weight.view(1, -1, 1, 1)
    return torch.sigmoid(F.conv2d(symmetric, weight, network.affinity.bias.view(1)))[:, 0]


@torch.no_grad()
def class_maps(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """All classes' maps at the size of the images, and the affinity of the largest scale."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    size, total = images.shape[-2:], 0
    for scale in SCALES:
        sides = [round(side * scale / network.stride) * network.stride for side in size]
        view = F.interpolate(images, sides, mode="bilinear", antialias=True)
        both = []
        for mirrored in (False, True):
            with record(network, prefix=network.num_prefix_tokens) as tape:
                maps, _ = network.locate(view.flip(-1) if mirrored else view)
            maps = F.interpolate(maps, size, mode="bilinear", antialias=True)
            both.append(maps.flip(-1) if mirrored else maps)
            if scale == 1.5 and not mirrored:
                affinity, grid = dense_affinity(network, tape), network.grid(sides)
        total = total + F.relu(torch.max(*both))
    for module, training in modes:
        module.training = training
    total = total - total.amin((2, 3), keepdim=True)
    return total / total.amax((2, 3), keepdim=True).clamp_min(1e-30), affinity, grid


def scores_of(maps: Tensor, size: Sequence[int] = ()) -> list[Tensor]:
    """Softmax over the maps and a background at each of two thresholds, (1 + K, h, w) each."""
    size = tuple(size) or maps.shape[1:]
    backgrounds = (torch.full((1, *size), level).to(maps) for level in (HIGH, LOW))
    return [torch.cat([level, maps.view(-1, *size)]).softmax(0) for level in backgrounds]


def random_walk(scores: Tensor, affinity: Tensor, near: Tensor) -> Tensor:
    """Propagate scores (1 + K, h, w) by squared affinities in the window, columns of sum 1."""
    transition = affinity**2 * near.to(affinity.device)
    transition = transition / transition.sum(0, keepdim=True)
    return (scores.flatten(1) @ transition).view(scores.shape)


def near_pairs(grid: tuple[int, int], radius: int) -> Tensor:
    """(N, N): 1 within the window."""
    places = np.array([(row, column) for row in range(grid[0]) for column in range(grid[1])])
    distance = np.abs(places[:, None] - places[None]).max(-1)
    return torch.from_numpy(distance <= radius)


def label(image: Tensor, scores: Sequence[Tensor], present: Tensor) -> Tensor:
    """Refine both scores at half size, label each, and keep what they agree on."""
    half = F.interpolate(image[None], scale_factor=0.5, mode="area")
    names = torch.cat([torch.zeros(1, dtype=torch.long), present + 1])
    winners = []
    for each in scores:
        refined = F.interpolate(par(half, each[None]), image.shape[1:], mode="bilinear")
        winners.append(names[refined.argmax(1)[0].cpu()])
    high, low = winners
    agreed = torch.where(high == 0, 255, high)
    agreed[(high == 0) & (low == 0)] = 0
    return agreed.to(image.device)


def affinity_term(affinity: Tensor, labels: Tensor, grid: tuple[int, int], near: Tensor) -> Tensor:
    """Mean of the mean error over like pairs and that over unlike pairs."""
    cells = F.interpolate(labels[:, None].float(), grid, mode="nearest-exact").flatten(1)
    known = (cells != 255)[:, :, None] & (cells != 255)[:, None] & near.to(cells.device)
    equal = cells[:, :, None] == cells[:, None]
    positive, negative = 1 - affinity[known & equal], affinity[known & ~equal]
    return 0.5 * mean(positive) + 0.5 * mean(negative)


def over(segmentation: Tensor, labels: Tensor, where: Tensor) -> Tensor:
    """Cross entropy over the known pixels of `where`."""
    kept = where & (labels != 255)
    return mean(F.cross_entropy(segmentation, labels.clamp(max=254) * kept, reduction="none")[kept])


def mean(values: Tensor) -> Tensor:
    """Mean; 0 if there are no values."""
    return values.mean() if len(values) else values.sum()
