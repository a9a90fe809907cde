"""The maps of a data set, by any of the methods, into a store."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from getam_core.activation.averaging import MapMethod, averaged
from getam_core.data import Entry, class_targets
from getam_core.inference.batches import inference_batches
from getam_core.inference.carried import carried
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

    Parameters
    ----------
    method : callable
        `f(network, images, targets) -> (maps, logits)`, as in `METHODS`; maps (M, L, h, w) of
        single blocks are stored beside their sum.
    size : int or None
        Long side of the images in pixels; None for native size.
    scales, flip
        Over which views of an image its maps are averaged; see `averaged`.
    affinity : int, optional
        Radius of the window, in cells, within which the affinity that the network has learned then
        carries the maps on; see `carried`.
    predicted : bool
        Take the classes that the network finds (probability above 0.5) for those of an image.
    """
    network = network.to(device).eval()
    method = averaged(method, scales=scales, flip=flip, stride=network.stride)
    method = method if affinity is None else carried(method, radius=affinity)
    batches = inference_batches(
        entries, long_side=size, stride=network.stride, batch_size=BATCH_SIZE, title="maps"
    )
    for batch in batches:
        images = batch.images.to(device)
        if predicted:
            targets = predicted_targets(network, images)
        else:
            targets = torch.from_numpy(class_targets(batch.entries, classes))
        maps, logits = method(network, images, targets)
        owner, class_index = targets.nonzero(as_tuple=True)
        maps, logits = maps.cpu(), logits.detach().float().cpu()
        blocks, maps = (maps, maps.sum(1)) if maps.ndim == 4 else (None, maps)
        for b, (entry, image_size) in enumerate(zip(batch.entries, batch.sizes, strict=True)):
            mine = owner == b
            class_ids = (class_index[mine] + 1).numpy()
            write_maps(
                writer,
                entry.image_id,
                maps[mine].numpy(),
                class_ids,
                logits[b].numpy(),
                size=image_size,
                blocks=None if blocks is None else blocks[mine].movedim(1, 0).numpy(),
            )


@torch.no_grad()
def predicted_targets(network: nn.Module, images: Tensor) -> Tensor:
    """Return the classes that the network finds in each image, (B, C) bool on the CPU."""
    return (network(images) > 0).cpu()
