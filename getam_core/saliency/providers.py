"""Saliency of a run's images, written to a store: from a network, or from maps that exist."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from getam_core.data import Entry, raise_problems, read_image, resize
from getam_core.data.batches import inference_batches
from getam_core.errors import InputError
from getam_core.saliency.network import SaliencyNetwork, predict_saliency
from getam_core.saliency.pairs import files_by_stem, read_grey


class Writer(Protocol):
    """What a store of kind "saliency" offers (`getam_core.stores.StoreWriter`)."""

    def write(self, image_id: str, array: np.ndarray) -> None:
        """Add one image's saliency, (H, W) uint8 0..255."""


def network_saliency(
    network: SaliencyNetwork,
    entries: Sequence[Entry],
    writer: Writer,
    *,
    size: int,
    device: torch.device | str = "cpu",
    batch_size: int = 8,
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
    batch_size : int
        Neighbours of one shape share a forward pass.
    """
    network.to(device).eval()
    batches = inference_batches(
        entries, long_side=size, stride=network.stride, batch_size=batch_size, title="saliency"
    )
    for batch in batches:
        saliency = predict_saliency(network, batch.images).numpy()
        for entry, one, (height, width) in zip(batch.entries, saliency, batch.sizes, strict=True):
            writer.write(entry.image_id, resize(one, height, width))


def precomputed_saliency(folder: Path | str, entries: Sequence[Entry], writer: Writer) -> None:
    """Write saliency maps that another program made, resized to their images.

    Parameters
    ----------
    folder : Path or str
        Holds one grey jpg or png an image, `<image_id>.*`, of any size.
    entries : sequence of Entry
    writer : Writer
        An open store of kind "saliency".

    Raises
    ------
    InputError
        The folder is missing, or lacks images (all of them are counted, nothing is written).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of saliency maps")
    files = files_by_stem(folder)
    missing = [entry.image_id for entry in entries if entry.image_id not in files]
    raise_problems(
        f"the saliency maps of {folder}", [f"{i}: no {i}.png or {i}.jpg" for i in missing]
    )
    for entry in tqdm(entries, desc="saliency", unit="image"):
        height, width = read_image(entry.image).shape[:2]
        writer.write(entry.image_id, resize(read_grey(files[entry.image_id]), height, width))
