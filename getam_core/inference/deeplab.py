"""DeepLabv2 at test time: the mean of its probabilities over scales and mirror images."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from getam_core.data.geometry import resize
from getam_core.inference.prediction import Predictor, ViewPrediction, running_mean

STRIDE = 8  # of DeepLabv2's features, in pixels


class DeepLab(Predictor):
    """A predictor by a retrained DeepLabv2.

    Parameters
    ----------
    network : nn.Module
        Of `deeplab.build_deeplab`; put in eval mode.
    scales : sequence of float
        Factors on the image's sides, which are then rounded to a multiple of 8, plus 1.
    flip : bool
        Also segment the image mirrored left to right.
    """

    step, extra = STRIDE, 1

    def __init__(self, network: nn.Module, *, scales: Sequence[float] = (1.0,), flip: bool = True):
        self.network, self.scales, self.flip = network.eval(), scales, flip

    def views(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the image at every scale."""
        sides = [[aligned(scale * side) for side in image.shape[:2]] for scale in self.scales]
        return [resize(image, *pair) for pair in sides]

    def forward(self, pixels: Tensor) -> list[ViewPrediction]:
        """Return only logits; with the mirrored image F is 2."""
        size, inputs = tuple(pixels.shape[-2:]), list(pixels)
        if self.flip:
            inputs += [one.flip(-1) for one in inputs]
        normalised = self.network.data_preprocessor({"inputs": inputs}, False)["inputs"]
        logits = self.network.decode_head(self.network.extract_feat(normalised)).float()
        logits = logits.unflatten(0, (-1, len(pixels)))  # (F, B, C + 1, h', w')
        if self.flip:
            logits = torch.stack([logits[0], logits[1].flip(-1)])
        return [ViewPrediction(of_image, size) for of_image in logits.unbind(dim=1)]

    @staticmethod
    def enlarged(logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize so that features stay at their pixels; see `network_recipe`."""
        return F.interpolate(logits, size, mode="bilinear", align_corners=True)

    @staticmethod
    def merge(logits: Iterable[Tensor]) -> Tensor:
        """Return the mean of all probabilities."""
        # The logits were resized to the image's size the way the image was: with the borders of
        # the picture aligned, not the centres of its corner pixels.
        return running_mean(of_view.softmax(dim=1).mean(dim=0) for of_view in logits)


def aligned(side: float) -> int:
    """Round a side in pixels to 8 k + 1: features at stride 8 then end on its last pixel."""
    return max(STRIDE, round((side - 1) / STRIDE) * STRIDE) + 1
