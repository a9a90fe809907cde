"""Whole images for inference, in batches of one shape."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from getam_core.data.geometry import resize_to_stride
from getam_core.data.images import read_image
from getam_core.data.index import Entry
from getam_core.inference.reading import batches_alike, in_order, read_ahead

Result = TypeVar("Result")


@dataclass(frozen=True)
class Loaded:
    """An image as a network sees it; `size` is the height and width of its file."""

    entry: Entry
    pixels: np.ndarray  # (H, W, 3) uint8 RGB
    size: tuple[int, int]


@dataclass(frozen=True)
class InferenceBatch:
    """Images of one shape, with their places in the list."""

    places: list[int]
    loaded: list[Loaded]

    @property
    def entries(self) -> list[Entry]:
        """The images' entries."""
        return [one.entry for one in self.loaded]

    def images(self, device: torch.device) -> Tensor:
        """Return the images, (B, 3, H, W) RGB 0..1."""
        return to_unit(to_pixels([one.pixels for one in self.loaded], device))


def inference_batches(
    entries: Sequence[Entry],
    *,
    long_side: int | None,
    stride: int,
    batch_size: int,
    apart: Callable[[Entry], Hashable] = lambda entry: None,
) -> Iterator[InferenceBatch]:
    """Read and resize the images ahead; those of one shape within a window share a batch.

    Batches are not in the order of the entries; `results_of` restores it for the results.

    Parameters
    ----------
    long_side : int or None
        Long side in pixels after resizing, both sides rounded to `stride`; None for native size.
    apart : callable
        Entries for which its value differs do not share a batch either.
    """
    read = partial(_load, long_side=long_side, stride=stride)
    batches = batches_alike(
        read_ahead(read, entries, readers()),
        batch_size,
        alike=lambda one: (one.pixels.shape, apart(one.entry)),
        nbytes=lambda one: one.pixels.nbytes,
    )
    for batch in batches:
        places, loaded = zip(*batch, strict=True)
        yield InferenceBatch(list(places), list(loaded))


def results_of(
    batches: Iterable[InferenceBatch],
    compute: Callable[[InferenceBatch], Iterable[Result]],
    title: str,
    count: int,
) -> Iterator[Result]:
    """Yield the result of `compute` for every image, in the order of the images.

    `title` labels the progress bar over `count` images.
    """
    placed = (made for batch in batches for made in zip(batch.places, compute(batch), strict=True))
    return in_order(tqdm(placed, title, count, unit="image"))


def readers() -> int:
    """Return how many threads read images: as many as compute."""
    return torch.get_num_threads()


def to_pixels(images: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Turn images (H, W, 3) of one shape into (B, 3, H, W) uint8 on the device."""
    # Copied as bytes: a quarter of what floats take.
    return torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2)


def to_unit(pixels: Tensor) -> Tensor:
    """Turn (B, 3, H, W) uint8 into float32, 0..1, as `to_tensor` does."""
    return pixels.contiguous().float().div_(255)


def _load(entry: Entry, long_side: int | None, stride: int) -> Loaded:
    image = read_image(entry.image)
    height, width = image.shape[:2]
    return Loaded(entry, resize_to_stride(image, long_side, stride), (height, width))
