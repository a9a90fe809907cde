"""Whether two forward passes of a network in training differ, or mix the images of a batch."""

from torch import nn

# What random layers of torch, torchvision and timm call the probability of leaving something out.
CHANCES = ("p", "prob", "drop_prob", "drop_rate", "dropout", "attention_dropout")


def random_or_coupled(network: nn.Module) -> bool:
    """Whether a pass in the mode it is in is random, or couples the images of a batch."""
    return any(_is_random_or_coupled(module) for module in network.modules() if module.training)


def _is_random_or_coupled(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return True
    chances = [getattr(module, name, None) for name in CHANCES]
    return any(type(chance) in (int, float) and 0 < chance <= 1 for chance in chances)
