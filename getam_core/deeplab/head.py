"""DeepLabv2's head (Chen et al. 2018): the sum of dilated 3 x 3 classifiers.

mmsegmentation's `ASPPHead` is DeepLabv3's, which concatenates branches and pools the image.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from getam_core.networks.openmmlab import MODELS, BaseDecodeHead


@MODELS.register_module()
class DeepLabV2Head(BaseDecodeHead):
    """Classify features by the sum of one 3 x 3 convolution per dilation.

    Parameters
    ----------
    in_channels : int
        Channels of the features.
    num_classes : int
        Including the background, C + 1.
    dilations : sequence of int
        One classifier each; 6, 12, 18, 24 for features at stride 8 of crops of 321 px.
    **options
        Of mmsegmentation's `BaseDecodeHead`.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        dilations: Sequence[int] = (6, 12, 18, 24),
        **options: Any,
    ) -> None:
        super().__init__(
            in_channels,
            channels=in_channels,
            num_classes=num_classes,
            dropout_ratio=0,
            init_cfg={"type": "Normal", "layer": "Conv2d", "std": 0.01},
            **options,
        )
        del self.conv_seg  # the 1 x 1 classifier that other heads end with
        self.classifiers = nn.ModuleList(
            nn.Conv2d(in_channels, num_classes, 3, padding=dilation, dilation=dilation)
            for dilation in dilations
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Turn features, of which `in_index` is (B, in_channels, h, w), into (B, C + 1, h, w)."""
        features = self._transform_inputs(inputs)
        return sum(classifier(features) for classifier in self.classifiers)
