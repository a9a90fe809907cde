"""Stores as folders of PNG files, to look at and for evaluation servers."""

from pathlib import Path

from PIL import Image
from tqdm import tqdm

from getam_core.errors import InputError
from getam_core.file_access import writing
from getam_core.files import atomic_path
from getam_core.label_png import index_png
from getam_core.stores.reader import Store


def export_png(store: Store, folder: Path | str) -> int:
    """Write every image of a store as `folder/<image_id>.png`; return how many.

    Label maps and predictions become index PNGs with the VOC palette (the values are the
    class_ids, which evaluation servers read); saliency becomes grey, 0..255.

    Raises
    ------
    FileAccessError
        A file cannot be written.
    InputError
        The store holds maps, which have no PNG form.
    """
    if store.kind == "maps":
        raise InputError(
            f"{store.path}: maps cannot be PNG files; export labels or"
            " predictions, or draw maps: python -m getam_core.explain"
        )
    picture = Image.fromarray if store.kind == "saliency" else index_png
    for image_id in tqdm(store.ids(), desc="export", unit="image"):
        image = picture(store[image_id])
        path = Path(folder) / f"{image_id}.png"
        with writing(path), atomic_path(path) as temporary:
            image.save(temporary)
    return len(store)
