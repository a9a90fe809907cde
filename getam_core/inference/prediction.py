"""What a network predicts for one image; `single_stage` and `deeplab` are two predictors.

An image is resized to its *views*, one per size. Each gives logits at the network's resolution,
which are small: they are what is queued or sent to another process. Resized to the view, then to
the image, and merged, they become the probabilities. `large` does the same in parts.

Shapes: B images, C foreground classes, H, W pixels of the image, h, w of a view, h', w' of the
network's output, F mirrored versions that are not averaged yet.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.inference.batches import to_pixels
from getam_core.precision import products_of_inference
from getam_core.resizing import resize_tensor


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image."""

    probabilities: Tensor  # (C + 1, H, W) float32, the background first, on the network's device
    scores: np.ndarray | None = None  # (C,) float32 class logits, of networks that have them
    flip_agreement: float | None = None  # 0..1, with the label maps of its mirror image

    def label_map(self) -> np.ndarray:
        """Return the likeliest classes, (H, W) uint8, 0..C."""
        return label_map(self.probabilities)

    def attributes(self) -> dict[str, np.ndarray]:
        """Return what a store keeps beside the label map, float32."""
        return attributes(self.scores, self.flip_agreement)


@dataclass(frozen=True)
class ViewPrediction:
    """The prediction for one view."""

    logits: Tensor  # (F, C + 1, h', w') float32
    size: tuple[int, int]  # h, w
    scores: Tensor | None = None  # (C,) float32 class logits
    flip_agreement: float | None = None  # 0..1; None without the mirror image


class Predictor(ABC):
    """(H, W, 3) uint8 RGB -> what a network predicts for it, at that size."""

    network: nn.Module
    step: int  # pixels; the side of a view is a multiple of this, plus `extra`
    extra: int  # pixels

    @abstractmethod
    def views(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the image in all test sizes, (h, w, 3) uint8 each."""

    @abstractmethod
    def forward(self, pixels: Tensor) -> list[ViewPrediction]:
        """Run the network on views of one shape, (B, 3, h, w) uint8 RGB, on its device."""

    @staticmethod
    @abstractmethod
    def enlarged(logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Return logits (F, C + 1, h', w') at the view's size, (F, C + 1, h, w)."""

    @staticmethod
    @abstractmethod
    def merge(logits: Iterable[Tensor]) -> Tensor:
        """Merge every view's logits (F, C + 1, H, W) into probabilities (C + 1, H, W)."""

    def __call__(self, image: np.ndarray) -> Prediction:
        """Predict an image in one go; scores are means over its views."""
        return self.from_views(self.views(image), image.shape[:2])

    def from_views(self, views: Sequence[np.ndarray], size: tuple[int, int]) -> Prediction:
        """Predict an image of `size` (H, W) from its views."""
        made = [self.segment(view) for view in views]
        probabilities = self.probabilities(made, size)
        return Prediction(probabilities, *of_all(made))

    def segment(self, view: np.ndarray) -> ViewPrediction:
        """Run the network on one view, (h, w, 3) uint8 RGB."""
        return self.segment_alike([view])[0]

    @torch.no_grad()
    def segment_alike(self, views: Sequence[np.ndarray]) -> list[ViewPrediction]:
        """Run the network on views of one shape."""
        device = next(self.network.parameters()).device
        with products_of_inference(device):
            return self.forward(to_pixels(views, device))

    @classmethod
    def probabilities(cls, views: Sequence[ViewPrediction], size: tuple[int, int]) -> Tensor:
        """Return the probabilities (C + 1, H, W) of an image of `size` (H, W); needs no network."""
        at_view = (cls.enlarged(view.logits, view.size) for view in views)
        return cls.merge(resize_tensor(logits, size) for logits in at_view)


def label_map(probabilities: Tensor) -> np.ndarray:
    """(C + 1, H, W) -> the likeliest classes, (H, W) uint8, 0..C."""
    return probabilities.max(dim=0).indices.to(torch.uint8).cpu().numpy()


def attributes(scores: np.ndarray | None, flip_agreement: float | None) -> dict[str, np.ndarray]:
    """Return what a store keeps beside an image's label map, float32."""
    known = {"scores": scores, "flip_agreement": flip_agreement}
    return {name: np.asarray(v, np.float32) for name, v in known.items() if v is not None}


def mean_scores(scores: Sequence[Tensor | None]) -> np.ndarray | None:
    """Return the mean of the views' class logits, (C,); None where the network has none."""
    if scores[0] is None:
        return None
    return torch.stack(list(scores)).mean(dim=0).cpu().numpy()


def of_all(views: Sequence[ViewPrediction]) -> tuple[np.ndarray | None, float | None]:
    """Return the means of the views' class logits and of their agreements; None without these."""
    same = [view.flip_agreement for view in views if view.flip_agreement is not None]
    scores = mean_scores([view.scores for view in views])
    return scores, float(np.mean(same)) if same else None


def on_cpu(view: ViewPrediction) -> ViewPrediction:
    """Return a copy in host memory, without scores, which the probabilities do not need."""
    return replace(view, logits=view.logits.cpu(), scores=None)


def running_mean(values: Iterable[Tensor]) -> Tensor:
    """Return the mean of tensors of one shape, with only two in memory at a time."""
    total, count = None, 0
    for value in values:
        total = value if total is None else total + value
        count += 1
    assert total is not None
    return total / count
