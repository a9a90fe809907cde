"""The maps of a data set, by any of the methods, into a store."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from getam_core.data import Entry, class_targets
from getam_core.data.batches import inference_batches
from getam_core.stores import StoreWriter, write_maps

MapMethod = Callable[..., tuple[Tensor, Tensor]]


def export_maps(
    method: MapMethod,
    network: nn.Module,
    entries: Sequence[Entry],
    writer: StoreWriter,
    *,
    classes: Sequence[str],
    size: int | None,
    flip: bool,
    device: torch.device,
    predicted: bool = False,
    batch_size: int = 8,
) -> None:
    """Compute the maps of every image's own classes and write them at patch resolution.

    Parameters
    ----------
    method : callable
        `f(network, images, targets) -> (maps, logits)`, as in `METHODS`; maps (M, L, h, w) of
        single blocks are stored beside their sum.
    size : int or None
        Long side of the images in pixels; None for native size.
    flip : bool
        Average with the maps of the mirrored image.
    predicted : bool
        Take the classes that the network finds (probability above 0.5) for those of an image.
    """
    network = network.to(device).eval()
    batches = inference_batches(
        entries, long_side=size, stride=network.stride, batch_size=batch_size, title="maps"
    )
    for batch in batches:
        images = batch.images.to(device)
        if predicted:
            targets = predicted_targets(network, images)
        else:
            targets = torch.from_numpy(class_targets(batch.entries, classes))
        maps, logits = map_batch(method, network, images, targets.to(device), flip=flip)
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


def map_batch(
    method: MapMethod, network: nn.Module, images: Tensor, targets: Tensor, *, flip: bool
) -> tuple[Tensor, Tensor]:
    """Return maps (M, h, w) and logits (B, C), averaged with the mirrored images' if `flip`."""
    maps, logits = method(network, images, targets)
    if not flip:
        return maps, logits
    mirrored_maps, mirrored_logits = method(network, images.flip(-1), targets)
    return (maps + mirrored_maps.flip(-1)) / 2, (logits + mirrored_logits) / 2
