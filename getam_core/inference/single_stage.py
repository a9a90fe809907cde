"""The segmentation head at test time: the mean of its logits over several sizes, mirrored too."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.agreement import agreement
from getam_core.data.geometry import resize_to_stride
from getam_core.data.tensors import to_tensor
from getam_core.inference.prediction import Predictor, ViewPrediction


class SingleStage(Predictor):
    """A predictor by the network that was trained end to end.

    Parameters
    ----------
    network : nn.Module
        Put in eval mode; has `stride` and `classify_and_segment(images) -> (logits (B, C),
        segmentation (B, C + 1, H, W))`.
    sizes : sequence of int or None
        Long sides in pixels, each rounded to the network's stride; None is the image's own.
    flip : bool
        Also segment the image mirrored left to right.
    """

    extra = 0

    def __init__(
        self, network: nn.Module, *, sizes: Sequence[int | None] = (None,), flip: bool = True
    ):
        assert sizes
        self.network, self.sizes, self.flip = network.eval(), sizes, flip
        self.step = network.stride

    def views(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the image resized to every long side."""
        return [resize_to_stride(image, size, self.step) for size in self.sizes]

    def segment(self, view: np.ndarray) -> ViewPrediction:
        """Return means over both directions, F = 1, and how far the two label maps agree."""
        device = next(self.network.parameters()).device
        image = to_tensor(view).to(device)
        images = torch.stack([image, image.flip(-1)]) if self.flip else image[None]
        scores, logits = self.network.classify_and_segment(images)
        same = None
        if self.flip:
            logits = torch.stack([logits[0], logits[1].flip(-1)])
            same = agreement(*logits.argmax(dim=1).cpu().numpy())
        scores, logits = scores.float().mean(dim=0), logits.float().mean(dim=0, keepdim=True)
        return ViewPrediction(logits, scores, same)

    def merge(self, logits: Sequence[Tensor]) -> Tensor:
        """Return the softmax of the logits' mean."""
        return torch.stack([of_view[0] for of_view in logits]).mean(dim=0).softmax(dim=0)
