"""labels.csv: which classes an image shows, for data sets without annotations of their own."""

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from getam_core.data.index import SEPARATOR

LABELS = "labels.csv"
COLUMNS = ("image", "classes", "split")  # the last one may be left out
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class LabelRow:
    """One line of the file: an image as it is named there, its classes, its split if it has one."""

    line: int
    image: str
    classes: tuple[str, ...]
    split: str | None


def read_labels(path: Path, problems: list[str]) -> list[LabelRow]:
    """Read `image,classes` or `image,classes,split`, classes joined by ';'; none is allowed.

    Parameters
    ----------
    path : Path
        UTF-8, with or without a byte order mark; its first line names the columns, in any order.
    problems : list of str
        Whatever is wrong is added to it, with the number of the line.
    """
    text = _decoded(path, problems)
    if text is None:
        return []
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        problems.append(f"{path.name}: not a CSV file ({error})")
        return []
    header = [name.strip() for name in lines[0]] if lines else []
    if problem := _header_problem(header):
        problems.append(f"{path.name}, line 1: {problem}")
        return []
    rows = [
        _row(path.name, number, header, cells, problems)
        for number, cells in enumerate(lines[1:], start=2)
        if any(cell.strip() for cell in cells)
    ]
    if not rows:
        problems.append(f"{path.name}: names no image")
    return [row for row in rows if row is not None]


def _decoded(path: Path, problems: list[str]) -> str | None:
    data = path.read_bytes()
    if data.startswith(UTF16):
        problems.append(f"{path.name}: UTF-16; save it as CSV in UTF-8")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.append(f"{path.name}, line {line}: not UTF-8; save it as CSV in UTF-8")
        return None


def _header_problem(header: Sequence[str]) -> str | None:
    if len(header) == 1 and (wrong := next((c for c in ";\t|" if c in header[0]), None)):
        return f"columns are separated by {wrong!r}, expected ','; classes are separated by ';'"
    if not {"image", "classes"} <= set(header):
        return f"the columns are {', '.join(header) or 'none'}; expected image,classes"
    strange = [name for name in header if name not in COLUMNS]
    if strange or len(set(header)) != len(header):
        return f"columns {', '.join(header)}; expected image,classes and, if you like, split"
    return None


def _row(
    name: str, line: int, header: Sequence[str], cells: Sequence[str], problems: list[str]
) -> LabelRow | None:
    if len(cells) != len(header):
        problems.append(
            f"{name}, line {line}: {len(cells)} columns instead of {len(header)};"
            " several classes are joined by ';'"
        )
        return None
    values = dict(zip(header, (cell.strip() for cell in cells), strict=True))
    if not values["image"]:
        problems.append(f"{name}, line {line}: names no image")
        return None
    classes = (part.strip() for part in values["classes"].split(SEPARATOR))
    return LabelRow(
        line, values["image"], tuple(dict.fromkeys(filter(None, classes))), values.get("split")
    )
