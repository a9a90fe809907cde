"""Parameters that nothing depends on: feature extractors may have layers beyond their maps."""

import torch

from getam_core.networks.stem import Stem


@torch.enable_grad()
def freeze_unused(stem: Stem, read: int) -> None:
    """Freeze the parameters that the maps read by the network do not depend on.

    They never get a gradient, and processes that train together would wait for it. They stay in the
    network's state. The stem's mode and statistics are unchanged.

    Parameters
    ----------
    read : int
        How many of the stem's maps the network reads, counted from the coarse end.
    """
    modes = {module: module.training for module in stem.modules()}
    trained = [parameter for parameter in stem.parameters() if parameter.requires_grad]
    maps = stem.eval()(torch.zeros(1, 3, 4 * stem.stride, 4 * stem.stride))
    total = sum(m.sum() for m in maps[-read:])
    gradients = torch.autograd.grad(total, trained, allow_unused=True)
    for parameter, gradient in zip(trained, gradients, strict=True):
        parameter.requires_grad_(gradient is not None)
    for module, training in modes.items():
        module.training = training
