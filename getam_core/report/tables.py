"""Entries of miou.json as rows of text, and the rows of metrics.csv."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from getam_core.errors import InputError
from getam_core.report.pictures import METHOD_TITLES

# What is scored, in the order in which a run makes it.
WHAT = {
    "seed": "Seeds",
    "pseudo_labels": "Pseudo labels",
    "segmentation": "Segmentation",
    "deeplabv2": "DeepLabv2",
}

Table = tuple[list[str], list[list[str]]]


def read_metrics(path: Path | str) -> list[dict[str, str]]:
    """Read train/metrics.csv as one dictionary of text per row; `InputError` if it is missing."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; train the run first") from None


def ordered(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort entries as a run makes them: seeds, pseudo labels, networks; unknown kinds last."""
    kinds = list(WHAT)
    return sorted(entries, key=lambda e: kinds.index(e["what"]) if e["what"] in kinds else 99)


def entry_name(entry: Mapping[str, Any]) -> str:
    """Short name of an entry: what, method, whether after a CRF, and split."""
    method = METHOD_TITLES.get(entry["method"], entry["method"])
    crf = ", CRF" if (entry.get("settings") or {}).get("crf") is True else ""
    return f"{WHAT.get(entry['what'], entry['what'])}, {method}{crf} ({entry['split']})"


def entry_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Make the table of all entries.

    Parameters
    ----------
    entries : sequence of mappings
        Entries of miou.json.

    Returns
    -------
    header : list of str
        `What, Method, Split, mIoU`, then those of `mIoU of known`, `Known`, `Class mAP` that any
        entry has, then `Images, Settings`. All numbers except `Images` are in percent.
    rows : list of list of str
        One per entry, in the order in which a run makes them; empty where there is no value.
    """
    optional = {"miou_known": "mIoU of known", "coverage": "Known", "class_map": "Class mAP"}
    present = [key for key in optional if any(e.get(key) is not None for e in entries)]
    header = ["What", "Method", "Split", "mIoU", *(optional[key] for key in present)]
    unit = {"coverage": 100}  # stored as a share
    rows = [
        [
            WHAT.get(entry["what"], entry["what"]),
            METHOD_TITLES.get(entry["method"], entry["method"]),
            entry["split"],
            number(entry["miou"]),
            *(number(entry.get(key), unit.get(key, 1)) for key in present),
            str(entry["images"]),
            settings_text(entry.get("settings") or {}),
        ]
        for entry in ordered(entries)
    ]
    return [*header, "Images", "Settings"], rows


def class_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Make the table of IoU in percent by class (rows) and entry (columns); empty where absent."""
    entries = ordered(entries)
    names = list(dict.fromkeys(name for entry in entries for name in entry["per_class"]))
    rows = [[name, *(number(e["per_class"].get(name)) for e in entries)] for name in names]
    return ["Class", *(entry_name(entry) for entry in entries)], rows


def markdown(table: Table) -> str:
    """Write a table as GitHub Markdown; every cell is plain text, whatever characters it has."""
    header, rows = table
    cells = [[_cell(text) for text in line] for line in (header, *rows)]
    lines = [cells[0], ["---"] * len(header), *cells[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Escape what would begin markup, HTML or a formula, or end the cell."""
    return re.sub(r"([\\`*<>\[\]|$~&]|\b_|_\b)", r"\\\1", " ".join(text.splitlines()))


def number(value: float | None, unit: float = 1) -> str:
    """Write `unit * value` with one decimal, nothing for None."""
    return "" if value is None else f"{unit * value:.1f}"


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings as a phrase: `threshold 0.31, sizes 256 + native, flip, no crf`.

    None in a list of sizes is the native size; a setting that is None is left out.
    """
    given = {key.replace("_", " "): v for key, v in settings.items() if v is not None}
    return ", ".join(_phrase(key, value) for key, value in given.items())


def _phrase(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return key if value else f"no {key}"
    if isinstance(value, Mapping):
        return f"{key} ({settings_text(value)})"
    if isinstance(value, (list, tuple)):
        return f"{key} {' + '.join(_scalar(v) for v in value)}"
    return f"{key} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if value is None:
        return "native"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
