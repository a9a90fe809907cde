"""Which networks GETAM supports, and how it finds their number of tokens before the patches.

Shapes: B images, (H, W) pixels, C classes, T prefix tokens, [class] first.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from getam_core.errors import InputError

# names of parameters in timm, torchvision and transformers
CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")
FURTHER_TOKENS = ("dist_token", "distillation_token", "reg_token", "register_tokens")


def transformer_of(model: nn.Module) -> nn.Module:
    """Return the transformer inside a `SegmentationTransformer`, or the model itself."""
    inner = getattr(model, "vit", model)
    return model if hasattr(model, "config") else inner  # transformers' `vit` lacks the head


def prefix_tokens(model: nn.Module) -> int:
    """Return T, from the model's `num_prefix_tokens` or from the names of its parameters.

    Raises
    ------
    InputError
        The model has no [class] token, whose row of the attention GETAM reads.
    """
    transformer = transformer_of(model)
    tokens = {name.rpartition(".")[2]: p for name, p in transformer.named_parameters()}
    if not any(name in tokens for name in CLASS_TOKENS):
        raise InputError(
            f"{type(transformer).__name__} has no [class] token (no parameter named"
            f" {', '.join(CLASS_TOKENS)}), whose attention GETAM reads; use a ViT that has one,"
            " or give prefix=T if it has another name"
        )
    stated = getattr(transformer, "num_prefix_tokens", None)
    if stated is not None:
        return stated
    named = (tokens[name] for name in (*CLASS_TOKENS, *FURTHER_TOKENS) if name in tokens)
    return sum(token.numel() // token.shape[-1] for token in named)


def check_images(model: nn.Module, images: Tensor) -> None:
    """Raise `InputError` unless `images` are (B, 3, H, W), of a type and size the model takes."""
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise InputError(
            f"images {tuple(images.shape)} {images.dtype}: expected (B, 3, H, W), floating point"
        )
    if images.device.type == "cpu" and images.dtype == torch.float16:
        raise InputError(
            "float16 on the CPU: gradients vanish in it; use model.float() and images.float(), or"
            " torch.autocast('cpu', torch.bfloat16)"
        )
    patch = _patch_size(model)
    if any(side % step for side, step in zip(images.shape[2:], patch, strict=True)):
        height, width = images.shape[2:]
        raise InputError(
            f"images of {height} x {width} px: sides must be multiples of the patch size,"
            f" {patch[0]} x {patch[1]}; resize or pad them"
        )


def _patch_size(model: nn.Module) -> tuple[int, int]:
    """Return (rows, columns) in pixels; (1, 1) where the model has none, e.g. behind a CNN."""
    embedding = getattr(model, "patch_embed", None)
    if hasattr(embedding, "backbone"):
        return 1, 1
    for owner in (embedding, model, getattr(model, "config", None)):
        size = getattr(owner, "patch_size", None)
        if size is not None:
            return (size, size) if isinstance(size, int) else tuple(size)
    return 1, 1


def logits_of(model: nn.Module, images: Tensor, *, check: bool = True) -> Tensor:
    """Run the model; return (B, C) logits, even if the model returns an object that holds them.

    Parameters
    ----------
    check : bool
        Check the values of the logits, which waits for the device. Training skips this: there,
        logits that are not finite make a loss that ends the run.

    Raises
    ------
    InputError
        The model refuses the images, or a logit is not finite.
    """
    try:
        output: Any = model(images)
    except AssertionError as error:  # how timm refuses a size
        height, width = images.shape[2:]
        raise InputError(
            f"{type(model).__name__} refuses images of {height} x {width} px: {error}"
        ) from None
    logits = getattr(output, "logits", output)
    return check_logits(logits) if check else logits


def check_logits(logits: Tensor) -> Tensor:
    """Return the logits (B, C); `InputError` names the images with one that is not finite."""
    broken = (~torch.isfinite(logits)).any(1).nonzero()[:, 0].tolist()
    if broken:
        raise InputError(
            f"the logits of images {broken} are not finite: check the weights, and that the images"
            " are normalised as the model expects"
        )
    return logits


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every layer in eval mode for the block, then restore each layer's mode."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def watching(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the outputs of `module` in the block."""
    seen: list[Tensor] = []
    hook = module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        yield seen
    finally:
        hook.remove()


def part_of(model: nn.Module, *names: str) -> tuple[Any, ...]:
    """Return attributes of the transformer by their names in timm.

    Raises
    ------
    InputError
        The network has no attribute of such a name.
    """
    transformer = transformer_of(model)
    missing = [name for name in names if not hasattr(transformer, name)]
    if missing:
        raise InputError(
            f"{type(transformer).__name__} has no {', '.join(missing)}: this method supports only"
            " timm's transformers; getam and attention_gradient support others too"
        )
    return tuple(getattr(transformer, name) for name in names)


def grid_of(patches: int, image_size: Sequence[int]) -> tuple[int, int]:
    """Return the grid (h, w) of N patches whose aspect is nearest to that of (H, W) pixels."""
    height, width = image_size
    divisors = (h for h in range(1, patches + 1) if patches % h == 0)
    rows = min(divisors, key=lambda h: abs(math.log(h * h * width / (patches * height))))
    return rows, patches // rows
