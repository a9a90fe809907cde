"""A CNN that classifies by a linear layer on its last map's mean: the network of CNN CAM.

Shapes: B images, (H, W) pixels, E channels of the last map, at the stem's last stride s.
"""

from typing import Any

from torch import Tensor, nn

from getam_core.vit.stem import Stem, build_stem


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


def build_classifier(*, stem: dict[str, Any], num_classes: int) -> ConvolutionalClassifier:
    """Build the network of CNN CAM; `stem` are arguments of `build_stem`."""
    return ConvolutionalClassifier(build_stem(**stem), num_classes)
