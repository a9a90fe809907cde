"""Networks: a ViT with an optional CNN stem, its class head and a DPT decoder.

Reading order: `stem` (CNN feature maps), `backbone` (timm's transformers), `dpt` (the decoder),
`network` (all of them behind one forward pass), `building` (from the parts, by name), `cnn` (a CNN
in place of the transformer), `mit` (a Mix Transformer in place of it, with `mit_weights` and
`openmmlab`), `affinity` (AFA's head), `checkpoint` (a trained network on disk), `compilation` (what
torch.compile may fuse), `randomness` (random layers, deterministic GPUs). `library` checks timm's
names and reads weights, `probe` finds the widths and strides of a CNN's maps, `unused` the
parameters that no map depends on.
"""

from getam_core.networks.backbone import build_vit, split_hybrid
from getam_core.networks.building import build_network
from getam_core.networks.checkpoint import (
    BUILDERS,
    load_network,
    read_classes,
    read_supervision,
    save_network,
)
from getam_core.networks.cnn import (
    ConvolutionalClassifier,
    SegmentationCNN,
    build_classifier,
    build_cnn,
)
from getam_core.networks.compilation import compile_parts
from getam_core.networks.dpt import DPT, FusionDecoder
from getam_core.networks.network import SegmentationTransformer
from getam_core.networks.randomness import make_deterministic, random_or_coupled
from getam_core.networks.stem import Stem, build_stem
from getam_core.networks.unused import freeze_unused

__all__ = [
    "BUILDERS",
    "DPT",
    "ConvolutionalClassifier",
    "FusionDecoder",
    "SegmentationCNN",
    "SegmentationTransformer",
    "Stem",
    "build_classifier",
    "build_cnn",
    "build_network",
    "build_stem",
    "build_vit",
    "compile_parts",
    "freeze_unused",
    "load_network",
    "make_deterministic",
    "random_or_coupled",
    "read_classes",
    "read_supervision",
    "save_network",
    "split_hybrid",
]
