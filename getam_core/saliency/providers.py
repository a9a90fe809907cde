"""Saliency of a run's images, written to a store: from a network, or from existing maps.

`background_removal` has a third source.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from getam_core.data import Entry, read_image, resize
from getam_core.data.names import composed, is_visible
from getam_core.errors import InputError, raise_problems
from getam_core.inference.batches import InferenceBatch, inference_batches, results_of
from getam_core.saliency.network import SaliencyNetwork, predict_saliency
from getam_core.saliency.pairs import read_grey

BATCH_SIZE = 8  # images


class Writer(Protocol):
    """What a store of kind "saliency" offers (`getam_core.stores.StoreWriter`)."""

    def write(self, image_id: str, array: np.ndarray) -> None:
        """Add one image's saliency, (H, W) uint8 0..255."""


Provider = Callable[[Sequence[Entry], Writer], None]  # writes the saliency of some entries


def network_saliency(
    network: SaliencyNetwork,
    entries: Sequence[Entry],
    writer: Writer,
    *,
    size: int,
    device: torch.device | str = "cpu",
) -> None:
    """Write the network's saliency of every image, at the image's own size.

    Parameters
    ----------
    network : SaliencyNetwork
        Moved to `device` and put in eval mode.
    entries : sequence of Entry
    writer : Writer
        An open store of kind "saliency".
    size : int
        Long side in pixels at which the network sees the images.
    device : torch.device or str
    """
    network.to(device).eval()
    batches = inference_batches(
        entries, long_side=size, stride=network.stride, batch_size=BATCH_SIZE
    )

    def compute(batch: InferenceBatch) -> list[np.ndarray]:
        saliency = predict_saliency(network, batch.images(torch.device(device))).numpy()
        sizes = [loaded.size for loaded in batch.loaded]
        return [resize(one, *size) for one, size in zip(saliency, sizes, strict=True)]

    made = results_of(batches, compute, "saliency", len(entries))
    for entry, saliency in zip(entries, made, strict=True):
        writer.write(entry.image_id, saliency)


def find_saliency_maps(folder: Path | str, entries: Sequence[Entry]) -> dict[str, Path]:
    """Find the saliency map of every entry: `folder`/<image_id>.*, whatever its suffix.

    Raises
    ------
    InputError
        The folder is missing, or lacks maps, all of which are counted.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of saliency maps")
    wanted = {entry.image_id for entry in entries}
    files: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if is_visible(path.name)):
        name = composed(path.stem)
        if name in wanted and (other := files.setdefault(name, path)) is not path:
            raise InputError(f"{path}: {other.name} has the same name; keep one")
    missing = [entry.image_id for entry in entries if entry.image_id not in files]
    raise_problems(
        f"the saliency maps of {folder}",
        [f"{i}: neither {i}.png nor a file with another suffix" for i in missing],
    )
    return files


def precomputed_saliency(folder: Path | str, listed: Sequence[Entry]) -> Provider:
    """Return a function that writes the maps of another program, resized to their images.

    Parameters
    ----------
    folder : Path or str
        Holds one image per entry, `<image_id>.*`, of any size and any kind that OpenCV reads: grey
        (16 bits become 8), or a cut-out with transparency; see `read_grey`.
    listed : sequence of Entry
        All entries that will be asked for: the folder is listed only once.

    Returns
    -------
    callable
        `provide(entries, writer)`, for an open store of kind "saliency". It raises `InputError`
        where a map cannot be decoded, or all hold only 0 and 1 instead of 0..255.

    Raises
    ------
    InputError
        As `find_saliency_maps`.
    """
    files = find_saliency_maps(folder, listed)

    def provide(entries: Sequence[Entry], writer: Writer) -> None:
        highest = 0
        for entry in tqdm(entries, desc="saliency", unit="image"):
            height, width = read_image(entry.image).shape[:2]
            saliency = read_grey(files[entry.image_id])
            highest = max(highest, saliency.max())
            writer.write(entry.image_id, resize(saliency, height, width))
        if highest == 1:  # a single one may be dark; if all are, no threshold finds anything
            raise InputError(
                f"the saliency maps of {folder}: all {len(entries)} hold only 0 and 1;"
                " expected 0..255: multiply by 255"
            )

    return provide
