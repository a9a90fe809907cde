"""The segmentation head at test time: the mean of its logits over several sizes, mirrored too."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.agreement import agreement
from getam_core.data.geometry import resize_to_stride
from getam_core.data.tensors import to_tensor
from getam_core.inference.segmentation import Segmentation
from getam_core.resizing import resize_tensor


class SingleStage:
    """A segmenter by the network that was trained end to end.

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

    def __init__(
        self, network: nn.Module, *, sizes: Sequence[int | None] = (None,), flip: bool = True
    ):
        assert sizes
        self.network, self.sizes, self.flip = network.eval(), sizes, flip

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> Segmentation:
        """Segment one image, (H, W, 3) uint8 RGB; scores are means over sizes and flips too."""
        passes = [self._one_size(image, size) for size in self.sizes]
        scores, logits, same = zip(*passes, strict=True)
        mean_scores, mean_logits = (torch.stack(values).mean(dim=0) for values in (scores, logits))
        flip_agreement = float(np.mean(same)) if self.flip else None
        return Segmentation(mean_logits.softmax(dim=0), mean_scores.cpu().numpy(), flip_agreement)

    def _one_size(self, image: np.ndarray, size: int | None) -> tuple[Tensor, Tensor, float]:
        """Segment at one size.

        Returns
        -------
        scores : (C,) Tensor
            Class logits.
        logits : (C + 1, H, W) Tensor
            Of the segmentation, at the image's size.
        same : float
            `agreement` of the label maps of the image and its mirror image; 1 without a flip.
        """
        device = next(self.network.parameters()).device
        resized = to_tensor(resize_to_stride(image, size, self.network.stride)).to(device)
        views = torch.stack([resized, resized.flip(-1)]) if self.flip else resized[None]
        scores, logits = self.network.classify_and_segment(views)
        if self.flip:
            logits = torch.stack([logits[0], logits[1].flip(-1)])
        label_maps = logits.argmax(dim=1).cpu().numpy()
        logits = resize_tensor(logits.float().mean(dim=0, keepdim=True), image.shape[:2])[0]
        return scores.float().mean(dim=0), logits, agreement(label_maps[0], label_maps[-1])
