"""The parts of a network that torch.compile may fuse: all but attention, which GETAM reads."""

from torch import nn


def compile_parts(network: nn.Module, backend: str = "inductor") -> nn.Module:
    """Compile stem, decoder and the blocks' MLPs in place, at their first call; return the network.

    A compiled graph is one node of autograd: the gradient at an attention's output inside it, of
    which maps are made, could not be asked for.

    Parameters
    ----------
    network : `SegmentationTransformer`, `SegmentationCNN` or `ConvolutionalClassifier`.
    backend : of torch.compile.
    """
    transformer = getattr(network, "vit", None)
    parts = [getattr(network, name, None) for name in ("stem", "decoder")]
    parts += [block.mlp for block in transformer.blocks] if transformer is not None else []
    for part in parts:
        if part is not None:
            part.compile(backend=backend)
    return network
