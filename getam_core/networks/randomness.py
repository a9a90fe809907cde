"""Whether two passes of a network differ: through random layers, or the order of GPU sums."""

import os

import torch
from torch import nn

# Names that random layers of torch, torchvision and timm give to the probability of dropping out.
CHANCES = ("p", "prob", "drop_prob", "drop_rate", "dropout", "attention_dropout")


def random_or_coupled(network: nn.Module) -> bool:
    """Whether a pass in the current mode is random, or couples the images of a batch."""
    return any(_is_random_or_coupled(module) for module in network.modules() if module.training)


def _is_random_or_coupled(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return True
    chances = [getattr(module, name, None) for name in CHANCES]
    return any(type(chance) in (int, float) and 0 < chance <= 1 for chance in chances)


def make_deterministic(wanted: bool) -> None:
    """Make results of GPUs bit-identical between runs, at lower speed, if `wanted`.

    An operation without a deterministic form then raises torch's error. Call this before the first
    operation on a GPU.
    """
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
