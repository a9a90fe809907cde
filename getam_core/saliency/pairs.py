"""Images with class-agnostic masks: what a saliency network learns from.

These masks belong to the saliency data set; the run's own ground truth is never read here.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from getam_core.data import random_crop, read_image
from getam_core.data.images import SUFFIXES
from getam_core.data.tensors import to_tensor
from getam_core.errors import InputError, raise_problems

LAYOUTS = (("images", "masks"), ("DUTS-TR-Image", "DUTS-TR-Mask"))

GREY_DIFFERENCE = 16  # of 255, between the channels of a grey image

Pair = tuple[Path, Path]


def find_pairs(folder: Path | str) -> list[Pair]:
    """Find images and their masks by name, in the order of their names.

    Parameters
    ----------
    folder : Path or str
        Holds `images/` and `masks/`, or the DUTS names `DUTS-TR-Image/` and `DUTS-TR-Mask/`; an
        image and its mask have the same name, except for the suffix.

    Raises
    ------
    InputError
        Names every image without a mask and every mask without an image, or the missing folders.
    """
    folder = Path(folder)
    there = [pair for pair in LAYOUTS if all((folder / name).is_dir() for name in pair)]
    if not there:
        raise InputError(
            f"{folder}: no saliency data set; expected the folders images/ and masks/"
            " (or DUTS-TR-Image/ and DUTS-TR-Mask/)"
        )
    images, masks = (files_by_stem(folder / name) for name in there[0])
    if not images:
        raise InputError(f"{folder / there[0][0]}: contains no images")
    problems = [
        f"{images[stem]}: no mask of this name" for stem in sorted(images.keys() - masks.keys())
    ]
    problems += [
        f"{masks[stem]}: no image of this name" for stem in sorted(masks.keys() - images.keys())
    ]
    raise_problems(f"the saliency data set {folder}", problems)
    return [(images[stem], masks[stem]) for stem in sorted(images)]


def files_by_stem(folder: Path) -> dict[str, Path]:
    """Map names without suffix to the images of `folder`; a duplicate is an error."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            if path.stem in found:
                raise InputError(f"{path}: {found[path.stem].name} has the same name; keep one")
            found[path.stem] = path
    return found


def read_grey(path: Path | str) -> np.ndarray:
    """Read a saliency map as (H, W) uint8.

    It is grey, or a cut-out, whose alpha is the saliency. Palettes count by colour, not by index.

    Raises
    ------
    InputError
        It cannot be decoded, or has colours, which are not saliency.
    """
    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise InputError(f"{path}: not an image that can be decoded")
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: values of type {image.dtype}; save grey levels 0..255")
    if image.ndim == 3 and image.shape[2] == 4 and image[..., 3].min() < image[..., 3].max():
        return image[..., 3] if image.dtype == np.uint8 else (image[..., 3] >> 8).astype(np.uint8)
    if image.ndim == 3 and _has_colours(image[..., :3]):
        raise InputError(
            f"{path}: the image is in colour, which is not a saliency map: save grey levels"
            " 0..255, or a cut-out with transparency (save palette indices as grey too)"
        )
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def _has_colours(image: np.ndarray) -> bool:
    """Whether the channels differ by more than JPEG makes those of a grey image differ."""
    levels = image >> 8 if image.dtype == np.uint16 else image
    return int((levels.max(axis=2) - levels.min(axis=2)).max()) > GREY_DIFFERENCE


def read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Read an image (H, W, 3) uint8 RGB and its mask (H, W) uint8, 0 or 255."""
    image, mask = read_image(pair[0]), read_grey(pair[1])
    if image.shape[:2] != mask.shape:
        raise InputError(
            f"{pair[1]}: {mask.shape} pixels for an image of {image.shape[:2]}; make them the same"
        )
    threshold = 127 if mask.max() > 1 else 0  # some masks hold 0 and 1
    return image, np.where(mask > threshold, 255, 0).astype(np.uint8)


class PairCrops(Dataset):
    """Random crops of pairs; an item depends only on (seed, epoch, index).

    An item is image (3, S, S) float RGB 0..1, target (S, S) float 0 or 1, valid (S, S) bool.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        size: int,
        scale_range: tuple[int, int],
        seed: int,
    ):
        self.pairs, self.size, self.scale_range = list(pairs), size, scale_range
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the random numbers of an epoch; call this before its loader is iterated."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        image, mask = read_pair(self.pairs[index])
        crop, plane, valid = random_crop(image, mask, self.size, self.scale_range, rng)
        target = torch.from_numpy(plane > 127).float()
        return to_tensor(crop), target, torch.from_numpy(valid)
