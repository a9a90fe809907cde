"""Random crops of training images with their labels, the same in every run with the same seed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from getam_core.data.cache import ImageCache
from getam_core.data.geometry import random_crop
from getam_core.data.images import read_image
from getam_core.data.index import Entry, class_targets
from getam_core.data.label_maps import open_label_maps, read_labels
from getam_core.data.tensors import to_tensor
from getam_core.errors import InputError, raise_problems
from getam_core.stores import Store, open_store

Pair = tuple[np.ndarray, np.ndarray | None]


class TrainingSet(Dataset):
    """Crops of images with image-level targets, and with saliency or given label maps.

    An item is a dictionary of

    - image : (3, S, S) float32, RGB 0..1
    - target : (C,) bool, the classes of the whole image
    - valid : (S, S) bool, False in the padding of small images
    - saliency : (S, S) float32 0..1, zeros where there is none
    - labels : (S, S) uint8, 255 in the padding; only where label maps are given
    - index : int, the position in `entries`

    Parameters
    ----------
    entries : sequence of Entry
    classes : sequence of str
        Names of the C foreground classes.
    size : int
        S, side of the crop, pixels.
    scale_range : (int, int)
        Range of the long side before the crop, pixels, ends included.
    seed : int
        The random numbers of an item depend only on (seed, epoch, index), not on the workers.
    saliency : Path or None
        A store of kind "saliency" that holds every entry, in the image's size.
    labels : Path or None
        A store of kind "labels", likewise. Not with `saliency`: the labels are already made.
    cache_bytes : int, optional
        Most memory for decoded images, shared by all workers; see `ImageCache`.

    Raises
    ------
    InputError
        A class is not in `classes`, or a store lacks an image.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        classes: Sequence[str],
        size: int,
        scale_range: tuple[int, int],
        seed: int,
        saliency: Path | str | None = None,
        labels: Path | str | None = None,
        cache_bytes: int | None = None,
    ):
        assert saliency is None or labels is None
        self.entries = list(entries)
        self.targets = torch.from_numpy(class_targets(entries, classes))
        self.size = size
        self.scale_range = scale_range
        self.seed = seed
        self._cache = ImageCache(
            len(self.entries), planes=bool(saliency or labels), capacity=cache_bytes
        )
        self._saliency = None if saliency is None else _open_saliency(saliency, self.entries)
        self._labels = None if labels is None else open_label_maps(labels, self.entries, classes)
        # In shared memory, since persistent workers hold a copy of this object. The training loop
        # forks its workers again for every epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers; call this before iterating over an epoch's loader."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> dict[str, Tensor | int]:
        rng = np.random.default_rng([self.seed, int(self._epoch), index])
        pair = self._cache.get(index) or self._read(index)
        labelled = self._labels is not None
        image, plane, valid = random_crop(*pair, self.size, self.scale_range, rng, labels=labelled)
        saliency = torch.zeros(self.size, self.size)
        if plane is not None and not labelled:
            saliency = torch.from_numpy(plane).float().div_(255)
        item: dict[str, Tensor | int] = {
            "image": to_tensor(image),
            "target": self.targets[index],
            "valid": torch.from_numpy(valid),
            "saliency": saliency,
            "index": index,
        }
        return item | {"labels": torch.from_numpy(plane)} if labelled else item

    def _read(self, index: int) -> Pair:
        entry = self.entries[index]
        image, plane = read_image(entry.image), None
        if self._saliency is not None:
            plane = self._saliency[entry.image_id]
            if plane.shape != image.shape[:2]:
                raise InputError(
                    f"{entry.image_id}: saliency of {plane.shape} pixels for an image of"
                    f" {image.shape[:2]}; compute the saliency again"
                )
        if self._labels is not None:
            plane = read_labels(self._labels, entry.image_id, image.shape[:2])
        self._cache.put(index, [image] if plane is None else [image, plane])
        return image, plane


def _open_saliency(path: Path | str, entries: Sequence[Entry]) -> Store:
    store = open_store(path, kind="saliency")
    ids = set(store.ids())
    store.close()  # every worker opens its own
    absent = [f"{entry.image_id}: not in it" for entry in entries if entry.image_id not in ids]
    raise_problems(f"{path} is incomplete; delete it and run the same command", absent)
    return store
