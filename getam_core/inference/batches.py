"""Whole images for inference, in batches of one shape."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from getam_core.data.geometry import resize_to_stride
from getam_core.data.images import read_image
from getam_core.data.index import Entry
from getam_core.data.tensors import to_tensor


@dataclass(frozen=True)
class InferenceBatch:
    """Images of one shape; `sizes` are the heights and widths of their files."""

    entries: list[Entry]
    images: Tensor  # (B, 3, H, W) RGB 0..1
    sizes: list[tuple[int, int]]


def inference_batches(
    entries: Sequence[Entry], *, long_side: int | None, stride: int, batch_size: int, title: str
) -> Iterator[InferenceBatch]:
    """Read and resize the images in order; neighbours of one shape share a batch.

    Parameters
    ----------
    long_side : int or None
        Long side in pixels after resizing, both sides rounded to `stride`; None for native size.
    title : str
        Shown at the progress bar.
    """
    waiting: list[tuple[Entry, Tensor, tuple[int, int]]] = []
    for entry in tqdm(entries, desc=title, unit="image"):
        image = read_image(entry.image)
        tensor = to_tensor(resize_to_stride(image, long_side, stride))
        if waiting and (len(waiting) == batch_size or waiting[0][1].shape != tensor.shape):
            yield _batch(waiting)
            waiting = []
        waiting.append((entry, tensor, image.shape[:2]))
    if waiting:
        yield _batch(waiting)


def _batch(waiting: list[tuple[Entry, Tensor, tuple[int, int]]]) -> InferenceBatch:
    entries, images, sizes = zip(*waiting, strict=True)
    return InferenceBatch(list(entries), torch.stack(images), list(sizes))
