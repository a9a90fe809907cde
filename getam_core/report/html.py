"""The report of a run: one self-contained HTML file."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from matplotlib.figure import Figure

from getam_core.report.page import caption_html, figure_html, table_html, write_page
from getam_core.report.pictures import METHOD_TITLES
from getam_core.report.studies import Study
from getam_core.report.tables import WHAT, Table, class_table, entry_table

# What each kind of entry is, as the line under its number.
MEANING = {
    "seed": "maps cut at their best threshold",
    "pseudo_labels": "label maps made from the maps",
    "segmentation": "masks that the network predicts",
    "deeplabv2": "DeepLabv2 retrained on the exported labels",
}


def write_report(
    out: Path | str,
    run: str,
    miou: Mapping[str, Any],
    figures: Mapping[str, Figure | bytes],
    metrics: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    *,
    studies: Sequence[Study] = (),
    tables: Mapping[str, Table] | None = None,
    written: datetime | None = None,
) -> None:
    """Write the report of a run.

    Parameters
    ----------
    out : path
        The HTML file; written whole or not at all.
    run : str
        Name of the run.
    miou : mapping
        Contents of miou.json. Without entries (a run that has no mask) the numbers are left out.
    figures : mapping of str to Figure or bytes
        Section title to figure, in the order of the page; bytes are a PNG image.
    metrics : sequence of mappings
        Rows of train/metrics.csv; may be empty.
    settings : mapping
        The run's settings, as plain builtins.
    studies : sequence of Study
        Sections below the figures.
    tables : mapping of str to Table, optional
        Section title to table, below the studies.
    written : datetime, optional
        The time in the head; now by default.
    """
    written = written or datetime.now(UTC)
    entries = miou.get("entries", [])
    sections = {"Numbers": _numbers(entries)} if entries else {}
    for title, figure in figures.items():
        sections[title] = figure_html(title, figure)
    for study in studies:
        table = table_html(study.table) if study.table else ""
        sections[study.title] = (
            caption_html(study.note) + table + figure_html(study.title, study.figure)
        )
    sections |= {title: table_html(table) for title, table in (tables or {}).items()}
    sections["Settings"] = _settings(settings)
    head = _head(run, miou, metrics, written) + _cards(entries, metrics)
    write_page(out, run, head, sections)


def _head(run: str, miou: Mapping[str, Any], metrics: Sequence, written: datetime) -> str:
    classes = miou.get("classes", [])
    facts = [f"Data set {miou['dataset']}"] if miou.get("dataset") else []
    facts += [f"{len(classes)} classes"] if classes else []
    facts += [f"{metrics[-1]['epoch']} epochs"] if metrics else []
    facts.append(f"written {written:%Y-%m-%d %H:%M %Z}".strip())
    return (
        f"<h1>{escape(run)}</h1>\n"
        '<p class="lead">Masks from images and the names of what they show (GETAM).<br>'
        f"{escape(' · '.join(facts))}</p>\n"
    )


def _cards(entries: Sequence[Mapping[str, Any]], metrics: Sequence[Mapping[str, Any]]) -> str:
    """One card per kind of entry, with its highest figure, and one for the training speed."""
    cards = []
    for what in WHAT:
        kind = [e for e in entries if e["what"] == what and e["miou"] is not None]
        if kind:
            best = max(kind, key=lambda entry: entry["miou"])
            method = METHOD_TITLES.get(best["method"], best["method"])
            chosen = f"best of {len(kind)}: " if len(kind) > 1 else ""
            detail = f"{chosen}{method}, {best['split']}, {best['images']} images"
            cards.append((WHAT[what], f"{best['miou']:.1f}", f"% mIoU, {MEANING[what]}", detail))
    speeds = [float(row["images_per_second"]) for row in metrics if row.get("images_per_second")]
    if speeds:
        steps = f"median over {metrics[-1]['step']} steps"
        cards.append(("Training speed", f"{median(speeds):.3g}", "images per second", steps))
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><small>{escape(title)}</small><b>{escape(value)}</b>'
            f"<small>{escape(unit)}</small><small>{escape(detail)}</small></div>"
            for title, value, unit, detail in cards
        )
        + "</div>\n"
    )


def _numbers(entries: Sequence[Mapping[str, Any]]) -> str:
    note = (
        "mIoU in percent: the mean over classes of one confusion matrix over all images of the "
        "split. A pixel labelled unknown counts as missed."
    )
    classes = table_html(class_table(entries))
    return (
        f"{caption_html(note)}{table_html(entry_table(entries))}"
        f"<details><summary>IoU of every class</summary>{classes}</details>"
    )


def _settings(settings: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
    return f"<details><summary>Show all</summary><pre>{escape(text)}</pre></details>"
