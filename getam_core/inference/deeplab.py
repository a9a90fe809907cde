"""DeepLabv2 at test time: the mean of its probabilities over several scales, mirrored too."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.data.geometry import resize
from getam_core.inference.segmentation import Segmentation
from getam_core.resizing import resize_tensor

STRIDE = 8  # of DeepLabv2's features, in pixels


class DeepLab:
    """A segmenter by a retrained DeepLabv2.

    Parameters
    ----------
    network : nn.Module
        Of `deeplab.build_deeplab`; put in eval mode.
    scales : sequence of float
        Factors on the image's sides, each then rounded to a multiple of 8, plus 1.
    flip : bool
        Also segment the image mirrored left to right.
    """

    def __init__(self, network: nn.Module, *, scales: Sequence[float] = (1.0,), flip: bool = True):
        self.network, self.scales, self.flip = network.eval(), scales, flip

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> Segmentation:
        """Segment one image, (H, W, 3) uint8 RGB; its probabilities sum to 1."""
        views = [self._one_scale(image, scale) for scale in self.scales]
        return Segmentation(torch.stack(views).mean(dim=0))

    def _one_scale(self, image: np.ndarray, scale: float) -> Tensor:
        """Return probabilities at the image's size, the mean with those of the mirrored image."""
        height, width = (aligned(scale * side) for side in image.shape[:2])
        pixels = torch.from_numpy(resize(image, height, width)).permute(2, 0, 1)
        inputs = [pixels, pixels.flip(-1)] if self.flip else [pixels]
        normalised = self.network.data_preprocessor({"inputs": inputs}, False)["inputs"]
        logits = self.network.encode_decode(normalised, [{"img_shape": (height, width)}]).float()
        if self.flip:
            logits = torch.stack([logits[0], logits[1].flip(-1)])
        # Back as the image came, whose resizing keeps the corners of the picture, not of the pixels
        return resize_tensor(logits, image.shape[:2]).softmax(dim=1).mean(dim=0)


def aligned(side: float) -> int:
    """Round a side in pixels to 8 k + 1: features at stride 8 then end on its last pixel."""
    return max(STRIDE, round((side - 1) / STRIDE) * STRIDE) + 1
