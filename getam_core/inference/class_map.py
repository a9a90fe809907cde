"""How training is validated: class mAP on image-level labels; masks are never read."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from getam_core.average_precision import mean_average_precision
from getam_core.data import Entry, class_targets
from getam_core.inference.batches import InferenceBatch, inference_batches, results_of
from getam_core.precision import products_of_inference


@torch.no_grad()
def class_map(
    network: nn.Module,
    *,
    entries: Sequence[Entry],
    classes: Sequence[str],
    size: int | None,
    device: torch.device,
    batch_size: int = 8,
) -> float | None:
    """Return the mean average precision in percent; None where no image has a label.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; `network(images) -> (B, C)` logits.
    size : int or None
        Long side of the images in pixels.
    """
    targets = class_targets(entries, classes)
    if not targets.any():
        return None
    batches = inference_batches(
        entries, long_side=size, stride=network.stride, batch_size=batch_size
    )

    def compute(batch: InferenceBatch) -> np.ndarray:
        with products_of_inference(device):
            return network(batch.images(device)).float().cpu().numpy()

    scores = list(results_of(batches, compute, "validation", len(entries)))
    return 100 * mean_average_precision(np.stack(scores), targets)
