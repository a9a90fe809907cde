"""The parts of a network that torch.compile may fuse: all but attention, which GETAM reads."""

from collections.abc import Callable

import torch
from torch import nn
from torch._functorch import config as autograd_settings

from getam_core.errors import InputError
from getam_core.networks.dpt import DPT

COMPILES_SINCE = "2.14"  # the oldest tried that works; 2.6 and 2.8 fail in the decoder


def compile_parts(network: nn.Module, backend: str | Callable = "inductor") -> nn.Module:
    """Compile stem, decoder and the blocks' MLPs in place, at their first call; return the network.

    Attention is left out: a compiled graph is one node of autograd, so the gradient at an
    attention's output inside it, which maps need, would be out of reach. Several backward passes
    run through the compiled parts, so from here on compiled graphs keep their buffers, in the whole
    process.

    Parameters
    ----------
    network : nn.Module
        `SegmentationTransformer`, `SegmentationCNN` or `ConvolutionalClassifier`.
    backend : str or callable
        Of torch.compile.

    Raises
    ------
    InputError
        This torch is older than `COMPILES_SINCE`.
    """
    if torch.__version__ < COMPILES_SINCE:
        raise InputError(
            f"train.compile: torch {torch.__version__} cannot compile these networks; set it to"
            f" false, or install torch {COMPILES_SINCE} or newer"
        )
    autograd_settings.donated_buffer = False
    for part in _parts(network):
        part.compile(backend=backend)
    return network


def _parts(network: nn.Module) -> list[nn.Module]:
    """Return modules that the network calls as modules: only `__call__` is compiled."""
    parts = [network.stem] if network.stem is not None else []
    decoder = getattr(network, "decoder", None)
    if isinstance(decoder, DPT):
        parts += [decoder.reassemble, decoder.fusion]
        named = network.vit.blocks.named_modules()
        parts += [module for name, module in named if name.endswith(".mlp")]
    elif decoder is not None:
        parts.append(decoder)
    return parts
