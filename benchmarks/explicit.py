"""GETAM as it is defined, with attention as a matrix in the graph, and the least any form costs.

Shapes: B images, M (image, class) pairs, H heads, N = h * w patches, T prefix tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@contextmanager
def explicit_attention() -> Iterator[list[Tensor]]:
    """Replace PyTorch's attention by one that keeps its matrices, (B, H, T + N, T + N)."""
    matrices = []

    def attention(q: Tensor, k: Tensor, v: Tensor, **_: object) -> Tensor:
        matrix = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
        matrices.append(matrix)
        return matrix @ v

    with mock.patch.object(F, "scaled_dot_product_attention", attention):
        yield matrices


def pair_by_pair(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """One forward pass of the batch, one full backward pass per pair (Sun et al. 2021, Eq. 2, 3).

    As the authors' training does it: every pass runs through all images and all parameters.
    """
    maps = []
    with explicit_attention() as matrices:
        logits = model(images)
    for matrix in matrices:
        matrix.retain_grad()
    for image, class_index in targets.nonzero().tolist():
        model.zero_grad()
        for matrix in matrices:
            matrix.grad = None
        logits[image, class_index].backward(retain_graph=True)
        rows = [(matrix[image, :, 0], matrix.grad[image, :, 0]) for matrix in matrices]
        maps.append(_map(rows, model.num_prefix_tokens))
    model.zero_grad()
    return torch.stack(maps)


def one_by_one(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Do the same with a forward pass per image, so that no backward pass runs over others."""
    singles = zip(images.split(1), targets.split(1), strict=True)
    return torch.cat([pair_by_pair(model, image, target) for image, target in singles])


def shared_passes(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Explicit matrices, but one pass for the k-th class of all images, over activations only."""
    with explicit_attention() as matrices:
        logits = model(images)
    maps = {}
    for k in range(int(targets.sum(1).max())):
        pairs = _ranked(targets, k)
        gradients = torch.autograd.grad(_score(logits, pairs), matrices, retain_graph=True)
        for image, class_index in pairs:
            blocks = zip(matrices, gradients, strict=True)
            rows = [(matrix[image, :, 0], gradient[image, :, 0]) for matrix, gradient in blocks]
            maps[image, class_index] = _map(rows, model.num_prefix_tokens)
    return torch.stack([maps[pair] for pair in sorted(maps)])


def plain_gradient(model: nn.Module, images: Tensor, targets: Tensor) -> None:
    """Run the minimum: one forward pass, and gradients with respect to the first block's input."""
    inputs = []

    def cut(_module: nn.Module, arguments: tuple) -> tuple:
        inputs.append(arguments[0].detach().requires_grad_())
        return (inputs[0], *arguments[1:])

    hook = getattr(model, "vit", model).blocks[0].register_forward_pre_hook(cut)
    try:
        logits = model(images)
    finally:
        hook.remove()
    most = int(targets.sum(1).max())
    for k in range(most):
        score = _score(logits, _ranked(targets, k))
        torch.autograd.grad(score, inputs, retain_graph=k + 1 < most)


def _ranked(targets: Tensor, k: int) -> list[tuple[int, int]]:
    """Return the k-th pair, counted from 0, of every image that has one."""
    rank = targets.cumsum(1) - 1
    return [tuple(pair) for pair in (targets & (rank == k)).nonzero().tolist()]


def _score(logits: Tensor, pairs: list[tuple[int, int]]) -> Tensor:
    return sum(logits[image, class_index] for image, class_index in pairs)


def _map(rows: list[tuple[Tensor, Tensor]], prefix: int) -> Tensor:
    """Eq. 2 (`per_head`) of every block's [class] row and gradient, (H, T + N), summed: (N,)."""
    blocks = [(g * a.detach()).relu().mean(0) * g.relu().mean(0) for a, g in rows]
    return sum(blocks)[prefix:]
