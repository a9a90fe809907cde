"""A table that some program saved as text: its encoding, its separator, its header, its rows."""

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SEPARATORS = (",", ";", "\t", "|")
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Table:
    """A table as it is written.

    Attributes
    ----------
    name : str
        What messages call the file.
    separator : str
        Between its columns.
    header : list of str
    rows : list of (int, list of str)
        The number of each line, and as many cells as the header has, stripped of blanks.
    """

    name: str
    separator: str
    header: list[str]
    rows: list[tuple[int, list[str]]]

    def column(self, place: int) -> list[str]:
        """Return the cells of one column."""
        return [cells[place] for _, cells in self.rows]


def read_table(path: Path, name: str, first: Sequence[str], problems: list[str]) -> Table | None:
    """Read a table with `,`, `;`, tabs or `|` between its columns, in UTF-8 or UTF-16 with a BOM.

    Parameters
    ----------
    path : Path
    name : str
        What messages call it.
    first : sequence of str
        Names in the form of `plain_header`. One of them is in the header: it tells the separator.
    problems : list of str
        Problems are added to it; None is returned if nothing can be read.
    """
    text = _decoded(path, name, problems)
    if text is None:
        return None
    told = text[4] if text[:4].lower() == "sep=" and text[4:5] in SEPARATORS else ""
    separator = told or _separator(text.partition("\n")[0], first)
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True
        )
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        problems.append(f"{name}: not a CSV file ({error})")
        return None
    header, *rows = lines[1 if told else 0 :] or [(1, [])]
    rows = [(number, cells) for number, cells in rows if any(cells)]
    fitting = [(n, cells) for n, cells in rows if len(cells) == len(header[1])]
    problems += [
        f"{name}, line {number}: {len(cells)} columns instead of {len(header[1])};"
        " several classes are joined by ';' or '|'"
        for number, cells in rows
        if len(cells) != len(header[1])
    ]
    return Table(name, separator, header[1], fitting)


def _decoded(path: Path, name: str, problems: list[str]) -> str | None:
    data = path.read_bytes()
    try:
        return data.decode("utf-16" if data.startswith(UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.append(f"{name}, line {line}: not UTF-8; save it as CSV in UTF-8")
        return None


def _separator(header: str, first: Sequence[str]) -> str:
    """Return the separator that yields a column named in `first`, else the most columns."""

    def columns(separator: str) -> tuple[bool, int]:
        cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        return any(plain_header(cell) in first for cell in cells), len(cells)

    return max(SEPARATORS, key=columns)


def plain_header(name: str) -> str:
    """Return a column's name in the form used for comparison: letters and digits, lower case."""
    return "".join(filter(str.isalnum, name.casefold()))
