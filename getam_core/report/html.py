"""The report of a run: one HTML file that needs nothing beside it."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from matplotlib import rc_context
from matplotlib.figure import Figure

from getam_core import __version__
from getam_core.files import atomic_path
from getam_core.report.page_style import CSS
from getam_core.report.pictures import METHOD_TITLES
from getam_core.report.tables import WHAT, Table, class_table, entry_table

WORDS = ("Class", "What", "Method", "Split", "Settings")  # columns of names, even of `1` and `2`
# What each kind of entry is, in one line under its number.
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
        The run's settings, of plain builtins.
    written : datetime, optional
        The time in the head; now when left out.
    """
    written = written or datetime.now(UTC)
    entries = miou.get("entries", [])
    sections = {"Numbers": _numbers(entries)} if entries else {}
    for title, figure in figures.items():
        sections[title] = _figure(title, figure)
    sections["Settings"] = _settings(settings)
    page = _page(run, _head(run, miou, metrics, written) + _cards(entries, metrics), sections)
    with atomic_path(out) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _page(run: str, head: str, sections: Mapping[str, str]) -> str:
    links = "".join(f'<a href="#{_anchor(t)}">{escape(t)}</a>' for t in sections)
    body = "".join(
        f'<section id="{_anchor(title)}"><h2>{escape(title)}</h2>{content}</section>\n'
        for title, content in sections.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>GETAM: {escape(run)}</title><link rel="icon" href="data:,">\n'
        f"<style>{CSS}</style></head>\n<body><main>\n{head}<nav>{links}</nav>\n{body}"
        f"<footer>getam-core {escape(__version__)}. Method: Sun et al., GETAM, 2021.</footer>\n"
        "</main></body></html>\n"
    )


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
    """One number a kind of entry, the highest of its kind, and the training speed."""
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
        cards.append(("Training speed", f"{median(speeds):.3g}", "images a second", steps))
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
    return (
        f"{_paragraph(note)}{_table(entry_table(entries))}"
        f"<details><summary>IoU of every class</summary>{_table(class_table(entries))}</details>"
    )


def _settings(settings: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
    return f"<details><summary>Show all</summary><pre>{escape(text)}</pre></details>"


def _table(contents: Table) -> str:
    """Write a table; percentages (columns between the words and `Images`) get a bar behind them."""
    header, rows = contents
    numeric = [
        title not in WORDS and all(re.fullmatch(r"[\d.]*", row[i]) for row in rows)
        for i, title in enumerate(header)
    ]
    heads = "".join(
        f'<th class="number">{escape(h)}</th>' if n else f"<th>{escape(h)}</th>"
        for h, n in zip(header, numeric, strict=True)
    )
    lines = "".join(f"<tr>{''.join(map(_cell, header, row, numeric))}</tr>" for row in rows)
    body = f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody>"
    return f'<div class="scroll"><table>{body}</table></div>'


def _cell(header: str, text: str, numeric: bool) -> str:
    if not numeric:
        kind = "text" if header == "Settings" else "name"
        return f'<td class="{kind}">{escape(text)}</td>'
    if header == "Images" or not text:
        return f'<td class="number">{text}</td>'
    return f'<td class="number bar" style="--value:{text}">{text}</td>'


def _figure(title: str, figure: Figure | bytes) -> str:
    """Embed a plot as SVG (inverted on a dark page), photographs as WebP, bytes as PNG."""
    if isinstance(figure, bytes):
        return _image(title, "picture", "png", figure, "100%")
    width, buffer = f"{figure.get_figwidth() * 96:.0f}px", io.BytesIO()
    if any(axes.images for axes in figure.axes):
        figure.savefig(buffer, format="webp", dpi=130, pil_kwargs={"quality": 88})
        return _image(title, "picture", "webp", buffer.getvalue(), width)
    with rc_context({"svg.hashsalt": title}):  # the same figure gives the same bytes
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _image(title, "plot", "svg+xml", buffer.getvalue(), width)


def _image(title: str, kind: str, form: str, data: bytes, width: str) -> str:
    source = f"data:image/{form};base64,{base64.b64encode(data).decode('ascii')}"
    return (
        f'<div class="scroll figure" style="--width:{width}">'
        f'<img class="{kind}" alt="{escape(title)}" src="{source}"></div>'
    )


def _paragraph(text: str) -> str:
    return f'<p class="caption">{escape(text)}</p>' if text else ""


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")
