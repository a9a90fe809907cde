"""Segmentation of one image at test time: several sizes, flipped too, optionally a dense CRF."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from getam_core.data.geometry import resize_to_stride
from getam_core.data.tensors import to_tensor
from getam_core.refine import dense_crf


@torch.no_grad()
def segment_image(
    network: nn.Module,
    image: np.ndarray,
    *,
    sizes: Sequence[int | None] = (None,),
    flip: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Segment one image with the mean of the logits over sizes and flips.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; has `stride` and `classify_and_segment(images) -> (logits (B, C),
        segmentation (B, C + 1, H, W))`.
    image : (H, W, 3) ndarray of uint8
        RGB.
    sizes : sequence of int or None
        Long sides in pixels, each rounded to the network's stride; None is the image's own.
    flip : bool
        Also segment the image mirrored left to right.

    Returns
    -------
    probabilities : (C + 1, H, W) ndarray of float32
        Of the background and the classes, for `label_map`.
    scores : (C,) ndarray of float32
        Class logits, the mean over sizes and flips.
    """
    assert sizes
    passes = [_one_size(network, image, size, flip) for size in sizes]
    scores, logits = (torch.stack(values).mean(dim=0) for values in zip(*passes, strict=True))
    return logits.softmax(dim=0).cpu().numpy(), scores.cpu().numpy()


def label_map(image: np.ndarray, probabilities: np.ndarray, *, crf: bool = False) -> np.ndarray:
    """Return the most probable class of every pixel.

    Parameters
    ----------
    image : (H, W, 3) ndarray of uint8
        RGB.
    probabilities : (C + 1, H, W) ndarray
        Background first.
    crf : bool
        Refine them by a dense CRF with the authors' test setting first: about a second an image on
        one core.

    Returns
    -------
    (H, W) ndarray of uint8
        0..C.
    """
    if crf:
        probabilities = dense_crf(image, probabilities)
    return probabilities.argmax(axis=0).astype(np.uint8)


def _one_size(
    network: nn.Module, image: np.ndarray, size: int | None, flip: bool
) -> tuple[Tensor, Tensor]:
    """Return class logits (C,) and segmentation logits (C + 1, H, W) at the image's size."""
    device = next(network.parameters()).device
    resized = to_tensor(resize_to_stride(image, size, network.stride)).to(device)
    views = torch.stack([resized, resized.flip(-1)]) if flip else resized[None]
    scores, logits = network.classify_and_segment(views)
    if flip:
        logits = torch.stack([logits[0], logits[1].flip(-1)])
    logits = logits.float().mean(dim=0, keepdim=True)
    logits = F.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=False)
    return scores.float().mean(dim=0), logits[0]
