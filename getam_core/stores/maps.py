"""Activation maps in a store: at patch resolution, each divided by its own maximum, float16.

Normalising first keeps the precision of float16 whatever the scale of the gradients, and the
maximum is stored beside the map in float32. Values keep three digits down to 6e-5 of the maximum;
those below 3e-8 of it become 0. Shapes: K present classes, C classes.
"""

from dataclasses import dataclass

import numpy as np

from getam_core.errors import InputError
from getam_core.stores.reader import Store
from getam_core.stores.writer import StoreWriter


@dataclass(frozen=True)
class StoredMaps:
    """The maps of one image.

    Attributes
    ----------
    maps : (K, h, w) ndarray of float32
        Each map divided by its maximum: 0..1.
    maximum : (K,) ndarray of float32
        What each map was divided by; `maps * maximum[:, None, None]` are the maps as computed.
    class_ids : (K,) ndarray of int64
        The class of each map, 1..C.
    size : (int, int)
        Height and width of the image in pixels.
    scores : (C,) ndarray of float32, or None
        The network's class logits.
    blocks : (L, K, h, w) ndarray of float32, or None
        The maps of the blocks that were summed, if they were stored, first block first, each
        divided by its own maximum.
    block_maximum : (L, K) ndarray of float32, or None
        What the maps of the blocks were divided by.
    """

    maps: np.ndarray
    maximum: np.ndarray
    class_ids: np.ndarray
    size: tuple[int, int]
    scores: np.ndarray | None = None
    blocks: np.ndarray | None = None
    block_maximum: np.ndarray | None = None


def write_maps(
    writer: StoreWriter,
    image_id: str,
    maps: np.ndarray,
    class_ids: np.ndarray,
    scores: np.ndarray | None = None,
    *,
    size: tuple[int, int],
    blocks: np.ndarray | None = None,
) -> None:
    """Store one image's maps; a map of zeros stays zeros, and K may be 0.

    Parameters
    ----------
    writer : StoreWriter
        Of kind "maps".
    image_id : str
    maps : (K, h, w) ndarray or CPU tensor
        Finite, not negative, in any unit.
    class_ids : (K,) array of int
        In 1..C.
    scores : (C,) array, optional
        The network's class logits.
    size : (int, int)
        Height and width of the image in pixels.
    blocks : (L, K, h, w) ndarray or CPU tensor, optional
        The maps of single blocks, to be kept beside their sum.

    Raises
    ------
    InputError
        A map holds NaN, infinity or a negative value.
    """
    maps = np.asarray(maps, np.float32)
    class_ids = np.asarray(class_ids, np.int64)
    assert maps.ndim == 3 and class_ids.shape == maps.shape[:1], (maps.shape, class_ids.shape)
    normalised, maximum = _normalised(image_id, maps)
    attributes = {"maximum": maximum, "class_ids": class_ids, "size": np.asarray(size, np.int64)}
    if scores is not None:
        attributes["scores"] = np.asarray(scores, np.float32)
    if blocks is not None:
        normalised_blocks, block_maximum = _normalised(image_id, np.asarray(blocks, np.float32))
        attributes |= {"blocks": normalised_blocks, "block_maximum": block_maximum}
    writer.write(image_id, normalised, **attributes)


def _normalised(image_id: str, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide (..., h, w) maps by their maxima: float16, and the maxima in float32."""
    if not (np.isfinite(maps).all() and (maps >= 0).all()):
        raise InputError(
            f"{image_id}: activation maps must be finite and not negative; has training diverged?"
        )
    maximum = maps.max(axis=(-2, -1), initial=0)
    normalised = maps / np.where(maximum > 0, maximum, 1)[..., None, None]
    return normalised.astype(np.float16), maximum


def read_maps(store: Store, image_id: str) -> StoredMaps:
    """Read one image's maps from a store of kind "maps"; errors are those of `Store.read`."""
    array, attributes = store.read(image_id)
    height, width = attributes["size"]
    return StoredMaps(
        maps=array.astype(np.float32),
        maximum=attributes["maximum"],
        class_ids=attributes["class_ids"],
        size=(int(height), int(width)),
        scores=attributes.get("scores"),
        blocks=attributes["blocks"].astype(np.float32) if "blocks" in attributes else None,
        block_maximum=attributes.get("block_maximum"),
    )
