"""The segmentation head at test time: the mean of its logits over sizes and mirror images."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.agreement import agreement
from getam_core.data.geometry import resize_to_stride
from getam_core.inference.batches import to_unit
from getam_core.inference.prediction import Predictor, ViewPrediction, running_mean
from getam_core.resizing import resize_tensor


class SingleStage(Predictor):
    """A predictor by the network that was trained end to end.

    Parameters
    ----------
    network : nn.Module
        Put in eval mode; has `stride` and `classify_and_decode(images) -> (logits (B, C),
        segmentation (B, C + 1, h', w'))`.
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

    def forward(self, pixels: Tensor) -> list[ViewPrediction]:
        """Return means over image and mirror image (F = 1), and how far their label maps agree."""
        size, images = tuple(pixels.shape[-2:]), to_unit(pixels)
        both = torch.cat([images, images.flip(-1)]) if self.flip else images
        scores, logits = (
            made.float().unflatten(0, (-1, len(images)))  # (F, B, ...)
            for made in self.network.classify_and_decode(both)
        )
        same: list[float | None] = [None] * len(images)
        if self.flip:
            logits = torch.stack([logits[0], logits[1].flip(-1)])
            label_maps = logits.max(dim=2).indices.to(torch.uint8).cpu().numpy()
            same = [agreement(*pair) for pair in zip(*label_maps, strict=True)]
        means = zip(logits.mean(dim=0), scores.mean(dim=0), same, strict=True)
        return [ViewPrediction(own[None], size, own_scores, s) for own, own_scores, s in means]

    @staticmethod
    def enlarged(logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize as the network does in training."""
        return resize_tensor(logits, size)

    @staticmethod
    def merge(logits: Iterable[Tensor]) -> Tensor:
        """Return the softmax of the logits' mean."""
        return running_mean(of_view[0] for of_view in logits).softmax(dim=0)
