"""Crops of images with stored label maps, the same in every run with the same seed.

A *draw* is one number for an image and the epoch in which it is drawn, `epoch * n + index` for n
images. What is random in a crop depends only on seed and draw, so that a resumed training gets the
crops that it would have got without the interruption.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from getam_core.classes import palette
from getam_core.data import of_split, read_image, read_index
from getam_core.data.geometry import resize, resize_labels
from getam_core.data.label_maps import open_label_maps, read_labels
from getam_core.networks.openmmlab import DATA_SAMPLERS, DATASETS, TRANSFORMS, BaseSegDataset


@DATASETS.register_module()
class StoredLabelDataset(BaseSegDataset):
    """The training images of an index with the label maps of a store, for mmsegmentation.

    Parameters
    ----------
    index : Path
        index.csv; the images of split "train".
    labels : Path
        A store of kind "labels" that holds all of them, at the images' sizes.
    classes : sequence of str
        Names of the C foreground classes.
    seed : int
    pipeline : list of dict
        mmsegmentation's transforms; the first gets `img`, (H, W, 3) uint8 RGB, and `gt_seg_map`,
        (H, W) uint8 with 255 unknown.

    Raises
    ------
    InputError
        The store has other classes, or lacks an image.
    """

    def __init__(
        self,
        index: str | Path,
        labels: str | Path,
        classes: Sequence[str],
        seed: int,
        pipeline: list[dict[str, Any]],
    ) -> None:
        self.entries = of_split(read_index(index), "train")
        self.store, self.seed = open_label_maps(labels, self.entries, classes), seed
        names = ("background", *classes)
        metainfo = {"classes": names, "palette": palette()[: len(names)].tolist()}
        super().__init__(metainfo=metainfo, pipeline=pipeline)

    def load_data_list(self) -> list[dict[str, Any]]:
        """List every image in mmengine's form; called once."""
        return [
            {"image_id": entry.image_id, "img_path": str(entry.image), "seg_fields": []}
            for entry in self.entries
        ]

    def prepare_data(self, draw: int) -> dict[str, Any]:
        """Crop one image; mmseg's transforms draw from NumPy's global generator, seeded here."""
        epoch, index = divmod(int(draw), len(self))
        before = np.random.get_state()  # noqa: NPY002
        np.random.seed([self.seed, epoch, index])  # noqa: NPY002
        try:
            return super().prepare_data(index)
        finally:
            np.random.set_state(before)  # noqa: NPY002

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Read an image and its label map."""
        found = super().get_data_info(index)
        image = read_image(found["img_path"])
        labels = read_labels(self.store, found["image_id"], image.shape[:2])
        sizes = dict.fromkeys(("ori_shape", "img_shape"), image.shape[:2])
        return found | sizes | {"img": image, "gt_seg_map": labels, "seg_fields": ["gt_seg_map"]}


@TRANSFORMS.register_module()
class RandomScale:
    """Resize image and label map by a factor drawn from a range, relative to the image's size.

    mmcv's `RandomResize` draws relative to one size for all images.
    """

    def __init__(self, scale_range: tuple[float, float]) -> None:
        self.scale_range = scale_range

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace `img` (linear, or by area where it shrinks) and `gt_seg_map` (nearest)."""
        factor = np.random.uniform(*self.scale_range)  # noqa: NPY002
        height, width = (max(1, round(factor * side)) for side in results["img"].shape[:2])
        results["img"] = resize(results["img"], height, width)
        results["gt_seg_map"] = resize_labels(results["gt_seg_map"], height, width)
        results["img_shape"] = (height, width)
        return results


@DATA_SAMPLERS.register_module()
class DrawSampler(Sampler[int]):
    """Draws of one process for every step from `start` on; each epoch is a permutation.

    Step t has the `batch_size` draws from `t * batch_size` on, of which each process takes its
    share. So the batches depend neither on the number of processes nor on interruptions.

    Parameters
    ----------
    dataset : sized
        Only its length n is used.
    seed : int
    batch_size : int
        Images per step, of all processes together.
    steps : int
        Of the whole training.
    start : int
        The first step.
    """

    def __init__(
        self, dataset: Sequence, seed: int, batch_size: int, steps: int, start: int = 0
    ) -> None:
        self.images, self.seed, self.batch_size = len(dataset), seed, batch_size
        self.steps, self.start = steps, start
        self.rank, self.processes = get_dist_info()
        assert batch_size % self.processes == 0, (batch_size, self.processes)

    def __len__(self) -> int:
        """Draws of this process in a whole training, as mmengine counts them."""
        return self.steps * self.batch_size // self.processes

    def __iter__(self) -> Iterator[int]:
        share = self.batch_size // self.processes
        known, order = -1, torch.empty(0, dtype=torch.int64)
        for step in range(self.start, self.steps):
            first = step * self.batch_size + self.rank * share
            for position in range(first, first + share):
                epoch, place = divmod(position, self.images)
                if epoch != known:
                    known, order = epoch, self._order(epoch)
                yield epoch * self.images + int(order[place])

    def _order(self, epoch: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + epoch)
        return torch.randperm(self.images, generator=generator)
