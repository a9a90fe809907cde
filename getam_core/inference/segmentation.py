"""What a segmenter makes of one image; `single_stage` and `deeplab` are two.

Shapes: C foreground classes, H, W pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Segmentation:
    """One image, segmented."""

    probabilities: Tensor  # (C + 1, H, W) float32, the background first, on the network's device
    scores: np.ndarray | None = None  # (C,) float32 class logits, of networks that have them
    flip_agreement: float | None = None  # 0..1, of its label maps and those of its mirror image

    def label_map(self) -> np.ndarray:
        """Return the likeliest classes, (H, W) uint8, 0..C."""
        return self.probabilities.argmax(dim=0).to(torch.uint8).cpu().numpy()

    def attributes(self) -> dict[str, np.ndarray]:
        """Return what a store keeps beside the label map, float32."""
        known = {"scores": self.scores, "flip_agreement": self.flip_agreement}
        return {name: np.asarray(v, np.float32) for name, v in known.items() if v is not None}


# (H, W, 3) uint8 RGB -> its segmentation at that size
Segmenter = Callable[[np.ndarray], Segmentation]
