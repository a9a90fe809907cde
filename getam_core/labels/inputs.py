"""The inputs of an image's label map, read from the stores and checked to fit together."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from getam_core.data import Entry, read_image
from getam_core.data.tensors import to_tensor
from getam_core.errors import InputError
from getam_core.stores import Store, read_maps


@dataclass(frozen=True)
class LabelInputs:
    """One image, its maps and its saliency; shapes: K present classes, H, W pixels."""

    image: Tensor  # (3, H, W) RGB 0..1
    maps: Tensor  # (K, h, w)
    class_ids: Tensor  # (K,), 1..C
    grey: Tensor | None  # (H, W) uint8

    def salient(self, threshold: float | None) -> Tensor:
        """Return where saliency is above the threshold, (H, W) bool; for None, saliency 0..1."""
        assert self.grey is not None, "salient() needs saliency"
        return self.grey / 255 if threshold is None else self.grey > 255 * threshold


def read_label_inputs(entry: Entry, maps: Store, saliency: Store | None) -> LabelInputs:
    """Read the inputs of an image's label map.

    Raises
    ------
    InputError
        Names the image that is missing, damaged, or of another size than its maps or saliency.
    """
    image = to_tensor(read_image(entry.image))
    stored = read_maps(maps, entry.image_id)
    sizes: dict[Path, tuple[int, ...]] = {maps.path: stored.size}
    grey = None
    if saliency is not None:
        grey = torch.from_numpy(saliency[entry.image_id])
        sizes[saliency.path] = tuple(grey.shape)
    for path, size in sizes.items():
        if size != tuple(image.shape[1:]):
            raise InputError(
                f"{path}: image {entry.image_id!r} was {size[0]} x {size[1]} px when it was read,"
                f" {entry.image} has {image.shape[1]} x {image.shape[2]}; make the store again"
            )
    ids = torch.from_numpy(stored.class_ids)
    return LabelInputs(image, torch.from_numpy(stored.maps), ids, grey)
