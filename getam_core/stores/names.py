"""What the images of a store are called on disk: a store knows image_ids, an index the files."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from getam_core.errors import InputError
from getam_core.file_access import reading_file

COLUMNS = ("image_id", "image")  # those of an index that are read here
DEPTH = 3  # how far above a store its run's index is: deeplabv2/<split>/predictions.h5


def find_index(store: Path | str) -> Path | None:
    """Return the `index.csv` of the run that a store is in, None if there is none."""
    folders = Path(store).absolute().parents[:DEPTH]
    return next((path for folder in folders if (path := folder / "index.csv").is_file()), None)


def file_names(index: Path | str, ids: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """Return the folder that holds all images of `ids`, and their paths below it.

    Parameters
    ----------
    index : Path
        A CSV file with the columns image_id and image, an absolute path.
    ids : sequence of str

    Returns
    -------
    folder : Path
        The deepest one that holds them all.
    names : dict of image_id to str
        With forward slashes: "img_1.jpg", or "cat/img_1.jpg" where they lie in several folders.

    Raises
    ------
    InputError
        The index is missing, has other columns, or lacks an image.
    """
    images = _images(index)
    if absent := [image_id for image_id in ids if image_id not in images]:
        raise InputError(
            f"{index}: has no image {absent[0]!r} ({len(absent)} of {len(ids)} are not in it);"
            " give the index that the store was made from: --index FILE"
        )
    if not ids:
        return Path(index).parent, {}
    folder = Path(os.path.commonpath([images[image_id].parent for image_id in ids]))
    return folder, {k: images[k].relative_to(folder).as_posix() for k in ids}


def _images(index: Path | str) -> dict[str, Path]:
    try:
        with reading_file(index), Path(index).open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise InputError(f"{index}: expected the columns {', '.join(COLUMNS)}")
            return {row["image_id"]: Path(row["image"]) for row in rows}
    except (UnicodeDecodeError, csv.Error, TypeError) as error:
        raise InputError(f"{index}: not a CSV file of images ({error})") from None
