"""Affinity of patches at AFA's size: a matrix per head, one matrix, or only the window's pairs.

Shapes: B images, H heads of all blocks, D head dimension, N = h * w patches.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.memory import peak_megabytes
from benchmarks.timing import compare, relative_difference, table
from getam_core.networks.affinity import AffinityHead
from getam_core.refine.affinity import RADIUS, affinity_loss, affinity_targets, cells_of, window

IMAGES, BLOCKS, HEADS, WIDTH, STRIDE = 4, 2, 8, 64, 16  # the last blocks of MiT-B1
VIEWS = {"512 px, with gradients": (512, True), "768 px, the largest view": (768, False)}
Pairs = list[tuple[Tensor, Tensor]]

COLUMNS = [
    "images", "(a) a matrix per head", "(b) ours", "(c) only the window", "a / b", "c / b",
    "(a) MB", "(b) MB", "(c) MB", "difference",
]  # fmt: skip


def print_table(rounds: int) -> None:
    """Print the table; about a minute on one core with 3 rounds."""
    print(f"\n## affinity: {IMAGES} images, {BLOCKS} blocks of {HEADS} heads, seconds\n")
    print(table(COLUMNS, [row(name, *view, rounds) for name, view in VIEWS.items()]))


def row(name: str, side: int, learns: bool, rounds: int) -> list[str]:
    """Measure the three forms at one image size, with the loss's gradients or forward only."""
    torch.manual_seed(0)
    head, grid = AffinityHead(BLOCKS * HEADS), (side // STRIDE, side // STRIDE)
    labels = torch.randint(3, (IMAGES, 8, 8)).repeat_interleave(side // 8, 1)
    labels = labels.repeat_interleave(side // 8, 2).to(torch.uint8)
    blocks = [tuple(_vectors(grid, learns) for _ in range(2)) for _ in range(BLOCKS)]
    forms = {
        "a": lambda: _run(head, blocks, learns, lambda: _dense(head, blocks, labels, grid, learns)),
        "b": lambda: _run(head, blocks, learns, lambda: _ours(head, blocks, labels, grid, learns)),
        "c": lambda: _run(head, blocks, learns, lambda: _near(head, blocks, labels, grid, learns)),
    }
    forms["b"]()  # the first pass of a process also loads and plans
    peaks = [peak_megabytes(form) for form in forms.values()]
    spent, made = compare(forms, rounds)
    difference = max(relative_difference(made[form], made["b"]) for form in "ac")
    return [
        name,
        *(f"{spent[form]:.2f}" for form in "abc"),
        *(f"{spent[form] / spent['b']:.1f}" for form in "ac"),
        *("" if peak is None else f"{peak:.0f}" for peak in peaks),
        f"{difference:.0e}",
    ]


def _vectors(grid: tuple[int, int], learns: bool) -> Tensor:
    tensor = torch.randn(IMAGES, HEADS, grid[0] * grid[1], WIDTH) / WIDTH**0.5
    return tensor.requires_grad_(learns)


def _run(head: nn.Module, blocks: Pairs, learns: bool, make: Callable[[], Any]) -> Tensor:
    """Return what is compared: a gradient, or the mean affinity of each cell's window."""
    tensors = [tensor for pair in blocks for tensor in pair]
    if not learns:
        with torch.no_grad():
            return make()
    return torch.autograd.grad(make(), [*tensors, *head.parameters()])[0]


def _ours(
    head: AffinityHead, blocks: Pairs, labels: Tensor, grid: tuple[int, int], learns: bool
) -> Tensor:
    return _result(head(blocks), labels, grid, learns)


def _dense(
    head: AffinityHead, blocks: Pairs, labels: Tensor, grid: tuple[int, int], learns: bool
) -> Tensor:
    """Convolve the matrices of all heads by 1 x 1, as AFA's released code does."""
    scores = torch.cat([query @ key.mT for query, key in blocks], 1)
    weight, bias = head.weight.view(1, -1, 1, 1), head.bias.view(1)
    affinity = F.conv2d(scores + scores.mT, weight, bias).sigmoid()[:, 0]
    return _result(affinity, labels, grid, learns)


def _result(affinity: Tensor, labels: Tensor, grid: tuple[int, int], learns: bool) -> Tensor:
    if learns:
        return affinity_loss(affinity, affinity_targets(labels, grid))
    near = window(grid, RADIUS, affinity.device)
    return (affinity * near).sum(-1) / near.sum(-1)


def _near(
    head: AffinityHead, blocks: Pairs, labels: Tensor, grid: tuple[int, int], learns: bool
) -> Tensor:
    """Go through the grid row by row, each against the rows within the window."""
    width = grid[1]
    cells = cells_of(labels, grid)
    columns = (torch.arange(width)[:, None] - torch.arange(width)).abs() <= RADIUS
    sums, means = torch.zeros(2, 2), []
    for own, others, affinity in _bands(head, blocks, grid):
        near = columns.repeat(1, affinity.shape[2] // width)
        alike = cells[:, own, None] == cells[:, None, others]
        errors = [(1 - affinity) * (alike & near), affinity * (~alike & near)]
        counts = torch.stack([(alike & near).sum(), (~alike & near).sum()])
        sums = sums + torch.stack([torch.stack([e.sum() for e in errors]), counts])
        means.append((affinity * near).sum(-1) / near.sum(-1))
    return (sums[0] / sums[1]).mean() if learns else torch.cat(means, 1)


def _bands(
    head: AffinityHead, blocks: Pairs, grid: tuple[int, int]
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield a row's cells, those of the rows near it, and their affinities, (B, w, near)."""
    height, width = grid
    weights = head.weight.split([query.shape[1] for query, _ in blocks])
    weighted = [
        (query * weight[:, None, None]).transpose(1, 2).flatten(2)
        for (query, _), weight in zip(blocks, weights, strict=True)
    ]
    queries = torch.cat(weighted, 2)
    keys = torch.cat([key.transpose(1, 2).flatten(2) for _, key in blocks], 2)
    for row_index in range(height):
        top, bottom = max(0, row_index - RADIUS), min(height, row_index + RADIUS + 1)
        own = slice(row_index * width, (row_index + 1) * width)
        others = slice(top * width, bottom * width)
        scores = queries[:, own] @ keys[:, others].mT + keys[:, own] @ queries[:, others].mT
        yield own, others, (scores + head.bias).sigmoid()
