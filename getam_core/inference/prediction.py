"""What a network predicts of one image; `single_stage` and `deeplab` are two predictors.

An image is resized to its *views*, one a size; each gives logits, and what `merge` makes of those
of all views, resized to the image, are the probabilities. `large` does the same by parts.

Shapes: C foreground classes, H, W pixels of the image, h, w of a view, F mirrored versions that
are not averaged yet.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.resizing import resize_tensor


@dataclass(frozen=True)
class Prediction:
    """Of one image."""

    probabilities: Tensor  # (C + 1, H, W) float32, the background first, on the network's device
    scores: np.ndarray | None = None  # (C,) float32 class logits, of networks that have them
    flip_agreement: float | None = None  # 0..1, of its label maps and those of its mirror image

    def label_map(self) -> np.ndarray:
        """Return the likeliest classes, (H, W) uint8, 0..C."""
        return label_map(self.probabilities)

    def attributes(self) -> dict[str, np.ndarray]:
        """Return what a store keeps beside the label map, float32."""
        known = {"scores": self.scores, "flip_agreement": self.flip_agreement}
        return {name: np.asarray(v, np.float32) for name, v in known.items() if v is not None}


@dataclass(frozen=True)
class ViewPrediction:
    """Of one view, at its own size."""

    logits: Tensor  # (F, C + 1, h, w) float32
    scores: Tensor | None = None  # (C,) float32 class logits
    flip_agreement: float | None = None  # 0..1; None without the mirror image


class Predictor(ABC):
    """(H, W, 3) uint8 RGB -> what a network predicts of it, at that size."""

    network: nn.Module
    step: int  # sides of views differ from each other by multiples of it, pixels
    extra: int  # such a side is a multiple of `step`, plus this

    @abstractmethod
    def views(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the image in the sizes of the test, (h, w, 3) uint8 each."""

    @abstractmethod
    def segment(self, view: np.ndarray) -> ViewPrediction:
        """Run the network on one view."""

    @abstractmethod
    def merge(self, logits: Sequence[Tensor]) -> Tensor:
        """Return probabilities (C + 1, H, W) of every view's logits (F, C + 1, H, W)."""

    def __call__(self, image: np.ndarray) -> Prediction:
        """Predict an image in one go; scores are means over its views."""
        return self.from_views(self.views(image), image.shape[:2])

    @torch.no_grad()
    def from_views(self, views: Sequence[np.ndarray], size: tuple[int, int]) -> Prediction:
        """Predict an image of `size` (H, W) from its views."""
        made = [self.segment(view) for view in views]
        logits = [resize_tensor(of_view.logits, size) for of_view in made]
        same = [v.flip_agreement for v in made if v.flip_agreement is not None]
        return Prediction(
            self.merge(logits),
            mean_scores([of_view.scores for of_view in made]),
            float(np.mean(same)) if same else None,
        )


def label_map(probabilities: Tensor) -> np.ndarray:
    """(C + 1, H, W) -> the likeliest classes, (H, W) uint8, 0..C."""
    return probabilities.argmax(dim=0).to(torch.uint8).cpu().numpy()


def mean_scores(scores: Sequence[Tensor | None]) -> np.ndarray | None:
    """Return the mean of the views' class logits, (C,); None where the network has none."""
    if scores[0] is None:
        return None
    return torch.stack(list(scores)).mean(dim=0).cpu().numpy()
