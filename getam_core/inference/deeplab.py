"""DeepLabv2 at test time: several scales, mirrored too, and a dense CRF in parallel processes."""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from getam_core.data import Entry, read_image
from getam_core.data.geometry import resize
from getam_core.deeplab.recipe import STRIDE
from getam_core.processes import parallel_map
from getam_core.refine import crf_label_map
from getam_core.stores import StoreWriter


@torch.no_grad()
def class_probabilities(
    network: nn.Module,
    image: np.ndarray,
    *,
    scales: Sequence[float] = (1.0,),
    flip: bool = True,
) -> Tensor:
    """Segment one image by the mean of its class probabilities over scales and flips.

    Parameters
    ----------
    network : nn.Module
        Of `build_deeplab`, in evaluation mode.
    image : (H, W, 3) ndarray of uint8
        RGB.
    scales : sequence of float
        Factors on the image's sides, each then rounded to a multiple of 8, plus 1.
    flip : bool
        Also segment the image mirrored left to right.

    Returns
    -------
    (C + 1, H, W) float32 tensor
        On the network's device; background first, sum 1.
    """
    views = [_one_scale(network, image, scale, flip) for scale in scales]
    return torch.stack(views).mean(dim=0)


def _one_scale(network: nn.Module, image: np.ndarray, scale: float, flip: bool) -> Tensor:
    """Return probabilities at the image's size, the mean with those of the mirrored image."""
    height, width = (aligned(scale * side) for side in image.shape[:2])
    pixels = torch.from_numpy(resize(image, height, width)).permute(2, 0, 1)
    inputs = [pixels, pixels.flip(-1)] if flip else [pixels]
    normalised = network.data_preprocessor({"inputs": inputs}, False)["inputs"]
    logits = network.encode_decode(normalised, [{"img_shape": (height, width)}]).float()
    if flip:
        logits = torch.stack([logits[0], logits[1].flip(-1)])
    # Back as the image came, whose resizing keeps the corners of the picture, not of the pixels.
    logits = F.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=False)
    return logits.softmax(dim=1).mean(dim=0)


def aligned(side: float) -> int:
    """Round a side in pixels to 8 k + 1: features at stride 8 then end on its last pixel."""
    return max(STRIDE, round((side - 1) / STRIDE) * STRIDE) + 1


def predict_deeplab(
    network: nn.Module,
    entries: Sequence[Entry],
    writer: StoreWriter,
    crf_writer: StoreWriter | None,
    *,
    scales: Sequence[float],
    flip: bool,
    workers: int,
) -> None:
    """Write each image's label map at the size of its file, without and with a dense CRF.

    Parameters
    ----------
    writer : StoreWriter
        Of kind "predictions"; gets the likeliest classes.
    crf_writer : StoreWriter or None
        Gets those after the CRF with the authors' test setting, if it is asked for.
    workers : int
        Processes of the CRF, while the network goes on; 1 stays in this one.
    """
    network.eval()

    def segmented() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for entry in tqdm(entries, "predict", unit="image"):
            image = read_image(entry.image)
            probabilities = class_probabilities(network, image, scales=scales, flip=flip)
            writer.write(entry.image_id, probabilities.argmax(dim=0).byte().cpu().numpy())
            yield image, probabilities.cpu().numpy()

    if crf_writer is None:
        deque(segmented(), maxlen=0)  # to its end
        return
    names = [entry.image_id for entry in entries]
    smoothed = parallel_map(crf_label_map, segmented(), workers, names)
    for entry, labels in zip(entries, smoothed, strict=True):
        crf_writer.write(entry.image_id, labels)
