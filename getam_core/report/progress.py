"""What training makes of a few images, drawn after every epoch: input, map, label, prediction.

Shapes: B images, M (image, class) pairs, S side of the crops, pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import default_collate

from getam_core.activation.models import evaluating
from getam_core.data.tensors import to_uint8
from getam_core.data.training_set import TrainingSet
from getam_core.report.pictures import colour_labels, overlay
from getam_core.training import Batch, Labelling, label_batch, map_pass

GAP = 4  # white pixels between panels


class TrainingPicture:
    """A picture of the samples of a training set, which opens no mask.

    Parameters
    ----------
    samples : TrainingSet
        All its samples are shown, in the same crops every time.
    labelling : Labelling
        How the second half labels; in the first half the picture shows what labels the maps would
        give. If the samples have label maps, those are shown instead.
    saliency_threshold : float or None
        Values above it are salient; None for labels without saliency.
    """

    def __init__(
        self, samples: TrainingSet, labelling: Labelling, saliency_threshold: float | None
    ):
        self.samples, self.labelling = samples, labelling
        self.threshold = saliency_threshold

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> np.ndarray:
        """Return RGB panels, a row per image, (B * (S + 4) - 4, 4 * (S + 4) - 4, 3) uint8.

        The network's mode and gradients are left unchanged, and no random number is drawn.
        """
        batch = self._batch(next(network.parameters()).device)
        with evaluating(network):
            maps = map_pass(network, batch, self.labelling)
            labels = batch.labels
            if labels is None:
                labels = label_batch(batch, maps, self.labelling.labels)
            prediction = network.classify_and_segment(batch.images)[1].argmax(1)
        predicted = prediction.to(torch.uint8).cpu().numpy()
        owner, classes = (index.cpu().numpy() for index in batch.targets.nonzero(as_tuple=True))
        planes, labelled = maps.cpu().numpy(), labels.cpu().numpy()
        rows = []
        for b, tensor in enumerate(batch.images):
            image, own = to_uint8(tensor), owner == b
            glow = overlay(image, planes[own], classes[own] + 1)
            label, guess = (colour_labels(each[b], image) for each in (labelled, predicted))
            rows.append(_joined([image, glow, label, guess], axis=1))
        return _joined(rows, axis=0)

    def _batch(self, device: torch.device) -> Batch:
        samples = default_collate([self.samples[i] for i in range(len(self.samples))])
        return Batch.of(samples, self.threshold, device)


def _joined(panels: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Put panels of one size side by side (axis 1) or below each other (0), with white gaps."""
    shape = list(panels[0].shape)
    shape[axis] = GAP
    white = np.full(shape, 255, np.uint8)
    return np.concatenate([part for panel in panels for part in (white, panel)][1:], axis)
