"""Gradients of class logits with respect to activations, for all classes present, in few passes.

Shapes: B images, C classes, M (image, class) pairs in the order of `targets.nonzero()`.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from getam_core.errors import InputError


def check_targets(logits: Tensor, targets: Tensor) -> Tensor:
    """Return `targets` in host memory; `InputError` unless both are (B, C) and `targets` bool.

    The host needs them: the number of classes per image decides the number of passes.
    """
    if logits.shape != targets.shape:
        raise InputError(
            f"targets {tuple(targets.shape)}: expected one row per image and one column per class,"
            f" {tuple(logits.shape)}"
        )
    if targets.dtype != torch.bool:
        raise InputError(f"targets {targets.dtype}: expected bool, e.g. `targets > 0`")
    return targets.cpu()


def pairs_of(targets: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return image and class of every pair, (M,) each, on the device, without waiting for it.

    `targets` are those of `check_targets`.
    """
    image_M, class_M = targets.nonzero(as_tuple=True)
    return image_M.to(device, non_blocking=True), class_M.to(device, non_blocking=True)


def class_gradients(
    logits: Tensor, targets: Tensor, inputs: Sequence[Tensor], *, retain_graph: bool
) -> Iterator[tuple[Tensor, Tensor, tuple[Tensor, ...]]]:
    """Differentiate every present class's logit with respect to `inputs`.

    The logits of different images are independent, so one backward pass serves the k-th present
    class of every image: there are as many passes as classes in the image with the most. No
    gradient of a parameter is computed.

    Parameters
    ----------
    logits : (B, C) Tensor
        With its graph.
    targets : (B, C) bool Tensor
        In host memory.
    inputs : sequence of Tensor
        Activations of the graph, each with the images along its first dimension.
    retain_graph : bool
        Keep the graph after the last pass.

    Yields
    ------
    pairs : (m,) positions in 0..M-1 that this pass serves.
    images : (m,) their images.
    gradients : one per input, of its shape: at every image of `images` the gradient of the pair's
        own logit, at the others zero.
    """
    image_M, class_M = targets.nonzero(as_tuple=True)
    rank_M = (targets.cumsum(1) - 1)[targets]  # 0 for an image's first present class, ...
    passes = int(rank_M.max()) + 1 if len(rank_M) else 0
    for k in range(passes):
        served = (rank_M == k).nonzero().squeeze(1)
        pairs, images, classes = (
            index.to(logits.device, non_blocking=True)
            for index in (served, image_M[served], class_M[served])
        )
        score = logits[images, classes].sum()
        keep = retain_graph or k + 1 < passes
        yield pairs, images, torch.autograd.grad(score, inputs, retain_graph=keep)
