"""DeepLabv2 at test time: the mean of its probabilities over several scales, mirrored too."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.data.geometry import resize
from getam_core.inference.prediction import Predictor, ViewPrediction

STRIDE = 8  # of DeepLabv2's features, in pixels


class DeepLab(Predictor):
    """A predictor by a retrained DeepLabv2.

    Parameters
    ----------
    network : nn.Module
        Of `deeplab.build_deeplab`; put in eval mode.
    scales : sequence of float
        Factors on the image's sides, each then rounded to a multiple of 8, plus 1.
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

    def segment(self, view: np.ndarray) -> ViewPrediction:
        """Return logits alone; with the mirrored image F is 2."""
        pixels = torch.from_numpy(view).permute(2, 0, 1)
        inputs = [pixels, pixels.flip(-1)] if self.flip else [pixels]
        normalised = self.network.data_preprocessor({"inputs": inputs}, False)["inputs"]
        meta = [{"img_shape": view.shape[:2]}]
        logits = self.network.encode_decode(normalised, meta).float()
        if self.flip:
            logits = torch.stack([logits[0], logits[1].flip(-1)])
        return ViewPrediction(logits)

    def merge(self, logits: Sequence[Tensor]) -> Tensor:
        """Return the mean of all probabilities."""
        # Logits come resized as the image was, whose resizing keeps the corners of the picture,
        # not those of the pixels.
        views = [of_view.softmax(dim=1).mean(dim=0) for of_view in logits]
        return torch.stack(views).mean(dim=0)


def aligned(side: float) -> int:
    """Round a side in pixels to 8 k + 1: features at stride 8 then end on its last pixel."""
    return max(STRIDE, round((side - 1) / STRIDE) * STRIDE) + 1
