"""A CNN that classifies by a linear layer on its last map's mean, alone or with a decoder.

The networks of CNN CAM: one to compare maps, one to train end to end (the first rows of the
paper's Tables 1 and 2). Shapes: B images, C foreground classes, (H, W) pixels, E channels of the
last map, at the stem's last stride s.
"""

from typing import Any

import torch
from torch import Tensor, nn

from getam_core.networks.dpt import FusionDecoder
from getam_core.networks.stem import Stem, build_stem, finer_channels
from getam_core.networks.unused import freeze_unused
from getam_core.resizing import resize_tensor


class ConvolutionalClassifier(nn.Module):
    """Class logits from a stem's last map, (E, H / s, W / s); see `build_stem` for its limits.

    `forward_features`, `forward_head` and `get_classifier` are as in timm's CNNs.
    """

    def __init__(self, stem: Stem, num_classes: int):
        super().__init__()
        self.stem = stem
        self.head = nn.Linear(stem.channels[-1], num_classes)
        self.stride = stem.stride

    def forward_features(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), RGB 0..1 -> the last map (B, E, H / s, W / s)."""
        return self.stem(images)[-1]

    def forward_head(self, features: Tensor) -> Tensor:
        """Map (B, E, h, w) -> logits (B, C)."""
        return self.head(features.mean((2, 3)))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), RGB 0..1 -> class logits (B, C)."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Linear:
        """Return the linear layer of the head."""
        return self.head

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all parameters once, in the groups of `SegmentationTransformer`."""
        stem, heads = list(self.stem.parameters()), list(self.head.parameters())
        return {"backbone": [], "stem": stem, "heads": heads}


class SegmentationCNN(ConvolutionalClassifier):
    """A `ConvolutionalClassifier` with DPT's fusion stages on the CNN's own maps.

    Parameters
    ----------
    stem : Stem
        The CNN.
    decoder : FusionDecoder
        Reads the last of its maps; C + 1 outputs, background first.
    """

    def __init__(self, stem: Stem, num_classes: int, decoder: FusionDecoder):
        super().__init__(stem, num_classes)
        self.decoder = decoder

    def classify_and_segment(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run one forward pass for both outputs; see `SegmentationTransformer`."""
        logits, segmentation = self.classify_and_decode(images)
        return logits, resize_tensor(segmentation, images.shape[-2:])

    def classify_and_decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Do the same without the final resizing; see `SegmentationTransformer`."""
        maps = self.stem(images)
        segmentation = self.decoder(maps[len(maps) - len(self.decoder.stages) :])
        return self.forward_head(maps[-1]), segmentation

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return all parameters once, in the groups of `SegmentationTransformer`."""
        groups = super().parameter_groups()
        return groups | {"heads": [*groups["heads"], *self.decoder.parameters()]}


def build_classifier(*, stem: dict[str, Any], num_classes: int) -> ConvolutionalClassifier:
    """Build the network of CNN CAM; `stem` are arguments of `build_stem`."""
    cnn = build_stem(**stem)
    freeze_unused(cnn, read=1)
    network = ConvolutionalClassifier(cnn, num_classes)
    return network.to(memory_format=torch.channels_last)  # twice as fast on a CPU


def build_cnn(
    *,
    stem: dict[str, Any],
    num_classes: int,
    decoder_width: int = 256,
    decoder_stride: int = 4,
    decoder_kernel: int = 3,
) -> SegmentationCNN:
    """Build a CNN with a decoder on its maps from `decoder_stride` to the last.

    Parameters
    ----------
    stem : dict
        Arguments of `build_stem`; `max_stride` 32 takes a whole ResNet.
    decoder_width, decoder_stride, decoder_kernel : int
        See `build_network`.

    Raises
    ------
    InputError
        See `build_stem`; a `decoder_stride` at which the CNN has no map.
    """
    cnn = build_stem(**stem)
    channels = [*finer_channels(cnn, decoder_stride), cnn.channels[-1]]
    freeze_unused(cnn, read=len(channels))
    decoder = FusionDecoder(channels, decoder_width, num_classes + 1, kernel=decoder_kernel)
    network = SegmentationCNN(cnn, num_classes, decoder)
    return network.to(memory_format=torch.channels_last)
