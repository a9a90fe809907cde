"""Label maps made elsewhere: a folder of PNG files as a store."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from getam_core.classes import IGNORE
from getam_core.errors import InputError
from getam_core.stores.label_images import nothing_labelled, read_label_png
from getam_core.stores.writer import StoreWriter


def label_pngs(folder: Path | str) -> dict[str, Path]:
    """Map image_ids, the file names without `.png`, to the PNG files of a folder.

    Raises
    ------
    InputError
        There is no such folder, or no PNG file in it.
    """
    there = sorted(Path(folder).glob("*"))
    found = {p.stem: p for p in there if p.suffix.lower() == ".png" and p.name[0] != "."}
    if not found:
        raise InputError(f"{folder}: no PNG files; name a folder of <image_id>.png")
    return found


def import_png(
    files: Mapping[str, Path],
    writer: StoreWriter,
    classes: int,
    read: Callable[[Path], np.ndarray] = read_label_png,
) -> int:
    """Write label PNGs into a store of kind "labels"; return how many.

    Parameters
    ----------
    files : mapping of image_id to Path
    classes : int
        C, the number of foreground classes.
    read : callable
        Reads a file as (H, W) uint8; give another one if not all files are PNGs.

    Raises
    ------
    InputError
        A file cannot be read, or holds a value that is neither 0..C nor 255; or all files hold only
        0 and 255.
    """
    seen: set[int] = set()
    for image_id, path in tqdm(files.items(), desc="import", unit="image"):
        labels = read(path)
        values = np.unique(labels)
        strange = values[(values > classes) & (values != IGNORE)].tolist()
        if strange:
            raise InputError(
                f"{path}: values {strange[:5]}, expected 0..{classes} or {IGNORE};"
                " is this another list of classes?"
            )
        seen |= set(values.tolist())
        writer.write(image_id, labels)
    if problem := nothing_labelled(seen, classes):
        raise InputError(f"{next(iter(files.values())).parent}: {problem}")
    return len(files)
