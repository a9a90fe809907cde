"""Saliency by the library rembg, whose networks cut objects out of photographs.

rembg is optional: it is imported only when it is asked for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from getam_core.data import Entry, read_image
from getam_core.errors import InputError
from getam_core.extras import needs
from getam_core.saliency.providers import Provider, Writer


def rembg_saliency(model: str) -> Provider:
    """Return a function that writes rembg's mask of each image's object, at the image's size.

    Parameters
    ----------
    model : str
        rembg's name of a network, such as "u2net" or "isnet-general-use". Its weights are loaded by
        rembg, which keeps them in `~/.u2net` (or `$U2NET_HOME`).

    Returns
    -------
    callable
        `provide(entries, writer)`, for an open store of kind "saliency". It raises `InputError`
        where the network gives several maps per image.

    Raises
    ------
    InputError
        rembg is not installed, has no such network, or cannot load its weights.
    """
    remove, session = _session(model)

    def provide(entries: Sequence[Entry], writer: Writer) -> None:
        for entry in tqdm(entries, desc="saliency (rembg)", unit="image"):
            image = read_image(entry.image)
            saliency = np.asarray(remove(image, session=session, only_mask=True), np.uint8)
            if saliency.shape != image.shape[:2]:
                raise InputError(
                    f"saliency.rembg_model: {model} gives maps of {saliency.shape} for images of"
                    f" {image.shape[:2]}; use one with a single map, such as u2net"
                )
            writer.write(entry.image_id, saliency)

    return provide


def _session(model: str) -> tuple[Any, Any]:
    """Return rembg's `remove` and a session of the network."""
    with needs("rembg", "saliency.source: rembg"):
        import rembg
    try:
        return rembg.remove, rembg.new_session(model)
    except Exception as error:  # unknown names, the network, files: no common base
        raise InputError(
            f"saliency.rembg_model: {model} cannot be loaded ({' '.join(str(error).split())});"
            " offline, put its weights into ~/.u2net"
        ) from None
