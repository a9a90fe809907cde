"""review.csv: the training images, the most suspicious first, with the reason and its numbers."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from getam_core.data import Entry
from getam_core.data.index import SEPARATOR
from getam_core.files import atomic_path
from getam_core.review.evidence import Verdict

COLUMNS = (
    "rank",
    "image_id",
    "suspicion",
    "reason",
    "classes",
    "denied",
    "denied_score",
    "found",
    "found_score",
    "label_agreement",
    "flip_agreement",
    "image",
)


@dataclass(frozen=True)
class Row:
    """One image.

    Attributes
    ----------
    rank : int
        From 1 for the most suspicious.
    entry : Entry
    suspicion : float
        What the images are ranked by, highest first; see `suspicion`.
    reason : str
        In words.
    denied, found : Verdict or None
        On the label that the network is least sure of, and on the class that it is surest of among
        those that are not labels of the image.
    label_agreement, flip_agreement : float or None
        As in `Evidence`.
    """

    rank: int
    entry: Entry
    suspicion: float
    reason: str
    denied: Verdict | None
    found: Verdict | None
    label_agreement: float | None
    flip_agreement: float | None


def write_rows(path: Path | str, rows: Sequence[Row]) -> None:
    """Write rows as CSV: numbers with four digits, empty where there is none."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_cells, rows))


def _cells(row: Row) -> list[str]:
    verdicts = [
        _cell(value)
        for verdict in (row.denied, row.found)
        for value in ((None, None) if verdict is None else (verdict.name, verdict.score))
    ]
    return [
        str(row.rank),
        row.entry.image_id,
        _cell(row.suspicion),
        row.reason,
        SEPARATOR.join(row.entry.classes),
        *verdicts,
        _cell(row.label_agreement),
        _cell(row.flip_agreement),
        str(row.entry.image),
    ]


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else value
