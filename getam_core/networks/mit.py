"""Mix Transformer, SegFormer's and AFA's backbone (Xie et al. 2021), through mmsegmentation.

AFA gives the last stage stride 1, so that its features are 1/16 of the image (Ru et al. 2022).
Shapes: B images, C foreground classes, (H, W) pixels, (h, w) = 1/16 of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from getam_core.classes import IMAGENET_MEAN, IMAGENET_STD
from getam_core.errors import InputError, check_name
from getam_core.networks.affinity import AffinityHead
from getam_core.networks.grid import patch_grid
from getam_core.networks.mit_weights import load_mit
from getam_core.networks.openmmlab import MODELS
from getam_core.networks.stem import Normalise
from getam_core.resizing import resize_tensor

STRIDES, STRIDE = (4, 2, 2, 1), 16
HEADS = (1, 2, 5, 8)
LAYERS = {  # blocks per stage; width of a head
    "mit_b0": ((2, 2, 2, 2), 32),
    "mit_b1": ((2, 2, 2, 2), 64),
    "mit_b2": ((3, 4, 6, 3), 64),
    "mit_b3": ((3, 4, 18, 3), 64),
    "mit_b4": ((3, 8, 27, 3), 64),
    "mit_b5": ((3, 6, 40, 3), 64),
}


class SegmentationMiT(nn.Module):
    """A Mix Transformer, AFA's classifier on its last features, and SegFormer's head on all four.

    Its interface is that of `SegmentationTransformer` with the head "max_pooled".

    Parameters
    ----------
    backbone : nn.Module
        mmsegmentation's `MixVisionTransformer`, strides 4, 2, 2, 1.
    decoder : nn.Module
        mmsegmentation's `SegformerHead` with C + 1 outputs, background first.
    affinity_blocks : int
        How many of the last blocks the affinity head reads; 0 for none. Only blocks of the last
        stage compare all patches with all.
    """

    num_prefix_tokens = 0
    stem = None
    takes_maximum = True
    stride = STRIDE

    def __init__(self, backbone: nn.Module, decoder: nn.Module, affinity_blocks: int = 0):
        super().__init__()
        self.backbone, self.decoder = backbone, decoder
        self.normalise = Normalise(IMAGENET_MEAN, IMAGENET_STD)
        heads = backbone.num_heads[-1]
        self.class_maps = nn.Conv2d(
            backbone.embed_dims * heads, decoder.num_classes - 1, 1, bias=False
        )
        self.affinity_blocks = affinity_blocks
        self.affinity = AffinityHead(affinity_blocks * heads) if affinity_blocks else None

    def grid(self, image_size: Sequence[int]) -> tuple[int, int]:
        """Return the grid (h, w) of patches for images of (H, W) pixels; see `patch_grid`."""
        return patch_grid(image_size, self.stride)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), RGB 0..1 -> class logits (B, C)."""
        return self.locate(images)[1]

    def locate(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images -> class maps (B, C, h, w), of any sign, and logits (B, C)."""
        features = self._features(images)[-1]
        return self.class_maps(features), self._classify(features)

    def classify_and_segment(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run one forward pass for both outputs; see `SegmentationTransformer`."""
        logits, segmentation = self.classify_and_decode(images)
        return logits, resize_tensor(segmentation, images.shape[-2:])

    def classify_and_decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Do the same without the final resizing; see `SegmentationTransformer`."""
        features = self._features(images)
        return self._classify(features[-1]), self.decoder(features)

    def _features(self, images: Tensor) -> list[Tensor]:
        """Images -> features of the stages, at strides 4, 8, 16, 16."""
        self.grid(images.shape[-2:])
        return self.backbone(self.normalise(images))

    def _classify(self, features: Tensor) -> Tensor:
        return self.class_maps(features.amax((2, 3), keepdim=True)).flatten(1)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all parameters once, in the groups of `SegmentationTransformer`."""
        own = (self.decoder, self.class_maps, self.affinity)
        heads = nn.ModuleList(head for head in own if head is not None)
        backbone = list(self.backbone.parameters())
        return {"backbone": backbone, "stem": [], "heads": list(heads.parameters())}


def build_mit(
    name: str,
    *,
    num_classes: int,
    options: dict[str, Any] | None = None,
    weights: Path | str | None = None,
    decoder_width: int = 256,
    affinity_blocks: int = 0,
) -> SegmentationMiT:
    """Build a network on a Mix Transformer.

    Parameters
    ----------
    name : str
        "mit_b0" to "mit_b5".
    num_classes : int
        C.
    options : dict or None
        Arguments of mmsegmentation's `MixVisionTransformer` to override.
    weights : Path or str or None
        A file in the official format (mit_b1.pth), see `load_mit`; None for random.
    decoder_width : int
        Channels of SegFormer's head; AFA has 256.
    affinity_blocks : int
        See `SegmentationMiT`.

    Raises
    ------
    InputError
        An unknown name or option, unusable weights, more blocks than the last stage has.
    """
    check_name("Mix Transformer", name, LAYERS)
    layers, width = LAYERS[name]
    arguments = {"num_layers": layers, "embed_dims": width, "num_heads": HEADS}
    arguments |= {"strides": STRIDES, "drop_path_rate": 0.1} | (options or {})
    try:
        backbone = MODELS.build({"type": "MixVisionTransformer", **arguments})
    except (TypeError, AssertionError) as error:
        raise InputError(f"{name}: model.options: {error}") from error
    backbone.init_weights()
    for module in backbone.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.register_forward_pre_hook(_without_weights, with_kwargs=True)
    if weights is not None:
        load_mit(backbone, weights)
    if affinity_blocks > backbone.num_layers[-1]:
        raise InputError(
            f"affinity_blocks {affinity_blocks}: the last stage of {name} has only"
            f" {backbone.num_layers[-1]} blocks, and earlier stages do not compare every pair of"
            " patches"
        )
    channels = [backbone.embed_dims * heads for heads in backbone.num_heads]
    decoder = MODELS.build(
        {
            "type": "SegformerHead",
            "in_channels": channels,
            "in_index": list(range(len(channels))),
            "channels": decoder_width,
            "num_classes": num_classes + 1,
            "norm_cfg": {"type": "BN"},
            "align_corners": False,
        }
    )
    decoder.init_weights()
    return SegmentationMiT(backbone, decoder, affinity_blocks)


def _without_weights(
    _module: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict[str, Any]]:
    """Do not ask for attention's weights, which nothing reads: then fused attention is used."""
    return args, kwargs | {"need_weights": False}
