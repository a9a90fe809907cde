"""Label maps that somebody else made: a folder of PNG files as a store."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from getam_core.classes import IGNORE
from getam_core.errors import InputError
from getam_core.stores.writer import StoreWriter


def read_label_png(path: Path | str) -> np.ndarray:
    """Read an index PNG, whose indices are the labels, or an 8-bit grey one.

    Returns
    -------
    (H, W) ndarray of uint8
        0 background, 1..C classes, 255 unknown or ignored.

    Raises
    ------
    InputError
        The file is missing, cannot be decoded, or holds colours instead of labels.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L"):
                raise InputError(
                    f"{path}: mode {image.mode}, expected an index or 8-bit grey PNG of labels"
                )
            return np.array(image)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be decoded ({error})") from None


def label_pngs(folder: Path | str) -> dict[str, Path]:
    """Name the PNG files of a folder by their image_id, the file's name without `.png`.

    Raises
    ------
    InputError
        There is no such folder, or no PNG file in it.
    """
    found = {path.stem: path for path in sorted(Path(folder).glob("*.png"))}
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
        Of a file, (H, W) uint8; another one where not all files are PNGs.

    Raises
    ------
    InputError
        A file cannot be read, or holds a value that is neither 0..C nor 255.
    """
    for image_id, path in tqdm(files.items(), desc="import", unit="image"):
        labels = read(path)
        values = np.unique(labels)
        strange = values[(values > classes) & (values != IGNORE)].tolist()
        if strange:
            raise InputError(
                f"{path}: values {strange[:5]}, expected 0..{classes} or {IGNORE};"
                " is this another list of classes?"
            )
        writer.write(image_id, labels)
    return len(files)
