"""The maps of a data set, by any of the methods, written to a store."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.activation.averaging import MapMethod, averaged
from getam_core.data import Entry, class_targets
from getam_core.inference.batches import InferenceBatch, inference_batches, results_of
from getam_core.inference.carried import carried
from getam_core.precision import products_of_inference
from getam_core.stores import StoreWriter, write_maps

BATCH_SIZE = 8  # images


def export_maps(
    method: MapMethod,
    network: nn.Module,
    entries: Sequence[Entry],
    writer: StoreWriter,
    *,
    classes: Sequence[str],
    size: int | None,
    scales: Sequence[float] = (1.0,),
    flip: bool,
    affinity: int | None = None,
    device: torch.device,
    predicted: bool = False,
) -> None:
    """Compute the maps of every image's own classes and write them at patch resolution.

    Only images with the same number of classes share a batch, since every class of the image with
    the most costs a backward pass over all.

    Parameters
    ----------
    method : callable
        `f(network, images, targets) -> (maps, logits)`, as in `METHODS`; maps (M, L, h, w) of
        single blocks are stored along with their sum.
    size : int or None
        Long side of the images in pixels; None for native size.
    scales, flip
        Views of an image over which its maps are averaged; see `averaged`.
    affinity : int, optional
        Radius of the window, in cells, within which the network's learned affinity then propagates
        the maps; see `carried`.
    predicted : bool
        Use the classes that the network finds (probability above 0.5) instead of an image's own.
    """
    network = network.to(device).eval()
    method = averaged(method, scales=scales, flip=flip, stride=network.stride)
    method = method if affinity is None else carried(method, radius=affinity)

    def compute(batch: InferenceBatch) -> list[ImageMaps]:
        images = batch.images(device)
        with products_of_inference(device):
            if predicted:
                targets = predicted_targets(network, images)
            else:
                targets = torch.from_numpy(class_targets(batch.entries, classes))
            maps, logits = method(network, images, targets)
        return by_image(batch, targets, maps.float().cpu(), logits.float().cpu())

    batches = inference_batches(
        entries,
        long_side=size,
        stride=network.stride,
        batch_size=BATCH_SIZE,
        apart=lambda entry: len(entry.classes),
    )
    for made in results_of(batches, compute, "maps", len(entries)):
        write_maps(writer, **vars(made))


@dataclass(frozen=True)
class ImageMaps:
    """What `write_maps` stores of one image."""

    image_id: str
    maps: np.ndarray  # (K, h, w)
    class_ids: np.ndarray  # (K,), 1..C
    scores: np.ndarray  # (C,)
    size: tuple[int, int]
    blocks: np.ndarray | None  # (L, K, h, w)


def by_image(
    batch: InferenceBatch, targets: Tensor, maps: Tensor, logits: Tensor
) -> list[ImageMaps]:
    """Split maps (M, h, w), or those of blocks (M, L, h, w), into those of every image."""
    owner, class_index = targets.nonzero(as_tuple=True)
    blocks, maps = (maps, maps.sum(1)) if maps.ndim == 4 else (None, maps)
    return [
        ImageMaps(
            loaded.entry.image_id,
            maps[owner == b].numpy(),
            (class_index[owner == b] + 1).numpy(),
            logits[b].detach().numpy(),
            loaded.size,
            None if blocks is None else blocks[owner == b].movedim(1, 0).numpy(),
        )
        for b, loaded in enumerate(batch.loaded)
    ]


@torch.no_grad()
def predicted_targets(network: nn.Module, images: Tensor) -> Tensor:
    """Return the classes that the network finds in each image, (B, C) bool on the CPU."""
    return (network(images) > 0).cpu()
