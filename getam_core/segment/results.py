"""What is written for the pictures: masks, overlays, one table, and how they were made.

A mask carries its picture's row of the table, path and digest, as a text in the PNG.
So a mask that exists is finished, and the table can be made from the masks.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from getam_core.checkpoint import differing_keys
from getam_core.errors import InputError
from getam_core.files import atomic_path, read_json, write_json
from getam_core.label_png import index_png
from getam_core.report.pictures import colour_labels
from getam_core.segment.pictures import Picture
from getam_core.segment.segmenter import Segmentation

KEY = "getam_core"  # of the text in a mask
NOT_UTF_8 = "surrogateescape"  # names of files need not be UTF-8
JPEG_SIDE = 65_500  # pixels; the longest side that libjpeg writes
STRIP = 2**20  # pixels of an overlay that are drawn at a time


@dataclass(frozen=True)
class Results:
    """The folder of the results."""

    folder: Path
    classes: Sequence[str]

    def claim(self, record: dict[str, Any]) -> None:
        """Write `segment.json`, or compare it with that of an earlier call.

        Raises
        ------
        InputError
            The folder holds results of another model or settings, or other files.
        """
        path = self.folder / "segment.json"
        if path.exists():
            differing = differing_keys(read_json(path), record)
            if differing:
                raise InputError(
                    f"{self.folder}: has results of other settings: {', '.join(differing)}; give"
                    " another folder, or delete this one"
                )
        elif self.folder.exists() and any(self._visible()):
            raise InputError(
                f"{self.folder}: holds files that this command did not write; give a new folder"
            )
        else:
            write_json(path, record)

    def _visible(self) -> Iterable[Path]:
        return (path for path in self.folder.iterdir() if not path.name.startswith("."))

    def mask(self, name: str) -> Path:
        """Return the path of a mask."""
        return self.folder / "masks" / f"{name}.png"

    def overlay(self, name: str) -> Path:
        """Return the path of an overlay."""
        return self.folder / "overlays" / f"{name}.jpg"

    def row(self, name: str, digest: str, *, overlay: bool) -> dict[str, Any] | None:
        """Return the row of a picture whose results exist; None if they have to be made."""
        found = _text(self.mask(name))
        if found is None or found["picture"] != digest:
            return None
        missing = drawable(found["row"]["size"]) and not self.overlay(name).exists()
        return None if overlay and missing else found["row"]

    def check_owners(self, pictures: Iterable[Picture]) -> None:
        """Raise `InputError` if a mask of another picture already has a picture's name."""
        for picture in pictures:
            found = _text(self.mask(picture.name))
            owner = picture.absolute if found is None else found.get("path", picture.absolute)
            if owner != picture.absolute:
                raise InputError(
                    f"{self.mask(picture.name)}: already exists and belongs to {owner}, not to"
                    f" {picture.absolute}; give another folder (-o)"
                )

    def write(
        self,
        picture: Picture,
        digest: str,
        pixels: np.ndarray,
        made: Segmentation,
        *,
        overlay: bool,
    ) -> dict[str, Any]:
        """Write a picture's results, and return its row.

        An earlier overlay is deleted first, a new one comes last: one that exists fits its mask.
        """
        drawing = self.overlay(picture.name)
        drawing.unlink(missing_ok=True)
        row = _row(made, len(self.classes))
        text = PngInfo()
        content = {"path": picture.absolute, "picture": digest, "row": row}
        text.add_text(KEY, json.dumps(content))
        with atomic_path(self.mask(picture.name)) as temporary:
            index_png(made.labels).save(temporary, pnginfo=text)
        if overlay and drawable(row["size"]):
            with atomic_path(drawing) as temporary:
                Image.fromarray(drawn(pixels, made.labels)).save(temporary, quality=92)
        return row

    def write_table(self, rows: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Write `segment.csv`; rows are (picture, name, row)."""
        columns = ["picture", "mask", "height", "width"]
        columns += [f"score {name}" for name in self.classes]
        columns += [f"area {name}" for name in ("background", *self.classes)]
        path = self.folder / "segment.csv"
        with (
            atomic_path(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors=NOT_UTF_8) as file,
        ):
            writer = csv.writer(file)
            writer.writerow(columns)
            for picture, name, row in rows:
                mask = self.mask(name).relative_to(self.folder).as_posix()
                scores = row["scores"] or [""] * len(self.classes)
                writer.writerow([picture, mask, *row["size"], *scores, *row["areas"]])


def _row(made: Segmentation, classes: int) -> dict[str, Any]:
    """Return size, scores (probabilities) and areas (shares of the picture), six decimals."""
    # Row by row: bincount turns each label that it is given into eight bytes.
    counts = np.zeros(classes + 1, np.int64)
    for line in made.labels:
        counts += np.bincount(line, minlength=classes + 1)
    areas = counts / made.labels.size
    scores = None if made.scores is None else [round(float(score), 6) for score in made.scores]
    return {
        "size": list(made.labels.shape),
        "scores": scores,
        "areas": [round(float(area), 6) for area in areas],
    }


def _text(path: Path) -> dict[str, Any] | None:
    """Return what a mask says about itself; None if it is missing or not this command's."""
    try:
        with PngImageFile(path) as mask:  # `Image.open` has a limit on the size
            return json.loads(mask.info[KEY])
    except (FileNotFoundError, SyntaxError, KeyError, ValueError):
        return None
    except OSError as error:
        if error.errno is None:  # Pillow's, for a damaged file
            return None
        raise


def drawable(size: Sequence[int]) -> bool:
    """Whether a JPEG can have this size (H, W)."""
    return max(size) <= JPEG_SIDE


def drawn(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Lay the labels over the picture, (H, W, 3) uint8, some rows at a time."""
    out = np.empty_like(pixels)
    rows = max(1, STRIP // labels.shape[1])
    for start in range(0, len(labels), rows):
        part = slice(start, start + rows)
        out[part] = colour_labels(labels[part], pixels[part])
    return out
