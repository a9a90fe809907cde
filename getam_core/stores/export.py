"""Stores as folders of PNG files, for the eye and for evaluation servers."""

from pathlib import Path

from PIL import Image
from tqdm import tqdm

from getam_core.classes import palette
from getam_core.errors import InputError
from getam_core.files import atomic_path
from getam_core.stores.reader import Store


def export_png(store: Store, folder: Path | str) -> int:
    """Write every image of a store as `folder/<image_id>.png`; return how many.

    Label maps and predictions become index PNGs with the VOC palette (the values are the
    class_ids, which evaluation servers read); saliency becomes grey, 0..255.

    Raises
    ------
    InputError
        The store holds maps, which have no PNG form.
    """
    if store.kind == "maps":
        raise InputError(f"{store.path}: maps cannot be PNG files; export labels or predictions")
    colours = None if store.kind == "saliency" else palette().tobytes()
    for image_id in tqdm(store.ids(), desc="export", unit="image"):
        image = Image.fromarray(store[image_id])
        if colours is not None:
            image.putpalette(colours)
        with atomic_path(Path(folder) / f"{image_id}.png") as temporary:
            image.save(temporary)
    return len(store)
