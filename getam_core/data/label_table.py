"""labels.csv and the like: which classes an image shows, one line per image or per label."""

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from getam_core.data.cells import labels_of_cell, separate
from getam_core.data.columns import BINARY, IMAGE, Columns, find_columns
from getam_core.data.table import Table, plain_header, read_table

log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)

LABELS = "labels.csv"
OF_SPLIT = "_classes.csv"  # as Roboflow names the table in each split's folder


@dataclass(frozen=True)
class LabelRow:
    """What a table says about an image, by its name there; `split` if it has that column."""

    where: str  # "labels.csv, line 3"
    image: str
    classes: tuple[str, ...]
    split: str | None


def read_labels(
    path: Path,
    problems: list[str],
    *,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    columns: Mapping[str, str | Sequence[str] | None] | None = None,
) -> list[LabelRow]:
    """Read a table of labels: a column of classes, or a column of 0 and 1 for each class.

    Parameters
    ----------
    path : Path
        See `read_table`.
    problems : list of str
        Problems are added to it, with the number of the line.
    name : str, optional
        What messages call the file; by default its own name.
    classes : sequence of str, optional
        The run's classes, if known: they tell "hot dog", one class, from "cat dog", two.
    columns : mapping, optional
        Names of columns, see `find_columns`.
    """
    asked = columns or {}
    first = (*IMAGE, plain_header(str(asked.get("image") or "")))
    table = read_table(path, name or path.name, first, problems)
    places = find_columns(table, asked, problems) if table is not None else None
    if table is None or places is None:
        return []
    if not table.rows:
        problems.append(f"{table.name}: names no image")
    _say(table, places)
    read = _binary_labels(table, places) if places.classes is None else _named_labels(places)
    rows = [_row(table, number, cells, places, read, problems) for number, cells in table.rows]
    named = [row for row in rows if row is not None]
    return named if places.classes is None else _separated(named, table.name, classes, problems)


def _say(table: Table, places: Columns) -> None:
    classes = (
        f"a column of 0 and 1 for each of {len(places.binary)} classes"
        if places.classes is None
        else f"classes in '{table.header[places.classes]}'"
    )
    used = {places.image, places.split, places.classes, *places.binary}
    others = [name for place, name in enumerate(table.header) if place not in used]
    log.info(
        "%s: columns separated by %r, images named by '%s', %s%s%s",
        table.name,
        table.separator,
        table.header[places.image],
        classes,
        "" if places.split is None else f", splits in '{table.header[places.split]}'",
        f"; not read: {', '.join(others)}" if others else "",
    )


def _named_labels(places: Columns) -> Callable[[Sequence[str]], tuple[str, ...]]:
    return lambda cells: labels_of_cell(cells[places.classes or 0])


def _binary_labels(table: Table, places: Columns) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Return a reader of rows of 0 and 1; blanks mean 0 if no 0 is written in the whole table."""
    cells = {cell.casefold() for place in places.binary for cell in table.column(place)}
    zeros = any(BINARY.get(cell) is False for cell in cells)
    meaning = BINARY if zeros else BINARY | {"": False}

    def labels(row: Sequence[str]) -> tuple[str, ...]:
        for place, name in places.binary.items():
            if row[place].casefold() not in meaning:
                raise ValueError(f"column '{name}' holds '{row[place]}'; expected 0 or 1")
        return tuple(n for place, n in places.binary.items() if meaning[row[place].casefold()])

    return labels


def _row(
    table: Table,
    number: int,
    cells: Sequence[str],
    places: Columns,
    read: Callable[[Sequence[str]], tuple[str, ...]],
    problems: list[str],
) -> LabelRow | None:
    where = f"{table.name}, line {number}"
    if not cells[places.image]:
        problems.append(f"{where}: names no image")
        return None
    try:
        labels = read(cells)
    except ValueError as error:
        problems.append(f"{where}: {error}")
        labels = ()
    split = None if places.split is None else cells[places.split]
    return LabelRow(where, cells[places.image], labels, split)


def _separated(
    rows: Sequence[LabelRow], name: str, classes: Sequence[str] | None, problems: list[str]
) -> list[LabelRow]:
    """Split labels that join several names; numbers instead of names are a problem."""
    labels = [label for row in rows for label in row.classes]
    if classes is None and labels and all(_is_number(label) for label in labels):
        numbers = sorted(set(labels))
        shown = ", ".join(numbers[:3]) + (", ..." if numbers[3:] else "")
        problems.append(
            f"{name}: the classes are numbers ({shown}); write names, or name the numbers in"
            f" data.classes: {numbers[:3]}"
        )
        return [replace(row, classes=()) for row in rows]
    several, unclear = separate(labels, classes)
    problems += [f"{name}: {problem}" for problem in unclear]
    for label, parts in several.items():
        log.warning("%s: '%s' is read as %s", name, label, " and ".join(parts))
    return [
        replace(row, classes=tuple(n for label in row.classes for n in several.get(label, [label])))
        for row in rows
    ]


def _is_number(label: str) -> bool:
    return label.removeprefix("-").replace(".", "", 1).isdecimal()


def merged(rows: Iterable[tuple[K, LabelRow]], problems: list[str]) -> dict[K, LabelRow]:
    """Merge all rows that name the same image: several lines give it several labels."""
    first: dict[K, LabelRow] = {}
    for key, row in rows:
        before = first.setdefault(key, row)
        if row.split != before.split:
            problems.append(
                f"{row.where}: {row.image} is in split '{row.split}' here and in '{before.split}'"
                f" in {before.where.rpartition(', ')[2]}"
            )
        first[key] = replace(before, classes=tuple(dict.fromkeys(before.classes + row.classes)))
    return first
