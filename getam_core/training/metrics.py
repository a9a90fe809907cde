"""`metrics.csv`: what training measured, one row an epoch."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from getam_core.files import atomic_path

TERMS = ("classification", "foreground", "background", "saliency")
COLUMNS = (
    "epoch", "step", "phase", "lr", "loss", *(f"loss_{term}" for term in TERMS),
    "images_per_second", "val_class_map",
)  # fmt: skip


def write_metrics(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one line a row; an empty cell was not measured."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({key: shown(row[key]) for key in COLUMNS} for row in rows)


def shown(value: Any) -> Any:
    """Return a number at six digits, and nothing for None."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
