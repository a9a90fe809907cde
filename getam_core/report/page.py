"""Self-contained pages: sections of tables and pictures in one HTML file.

`html` builds the report from them, `getam_core.review` the page of images to look at.
"""

import base64
import io
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from getam_core import __version__
from getam_core.files import atomic_path
from getam_core.report.page_style import CSS
from getam_core.report.tables import Table

# Columns that hold names and texts, even if these are `1` and `2`.
NAMES = ("Row", "Class", "What", "Method", "Split", "Stage", "Time", "CPU time", "Highest memory")
TEXTS = ("Runs", "Settings", "Training", "Report")  # long ones
COUNTS = ("Images", "Jobs")


def write_page(out: Path | str, title: str, head: str, sections: Mapping[str, str]) -> None:
    """Write a page, whole or not at all.

    Parameters
    ----------
    out : path
        The HTML file.
    title : str
        In the browser's tab, as text.
    head : str
        HTML above the links to the sections.
    sections : mapping of str to str
        Heading, as text, to its HTML, in the order of the page.
    """
    with atomic_path(out) as temporary:
        temporary.write_text(_page(title, head, sections), encoding="utf-8")


def _page(title: str, head: str, sections: Mapping[str, str]) -> str:
    links = "".join(f'<a href="#{_anchor(t)}">{escape(t)}</a>' for t in sections)
    links = f"<nav>{links}</nav>\n" if len(sections) > 1 else ""
    body = "".join(
        f'<section id="{_anchor(heading)}"><h2>{escape(heading)}</h2>{content}</section>\n'
        for heading, content in sections.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>GETAM: {escape(title)}</title><link rel="icon" href="data:,">\n'
        f"<style>{CSS}</style></head>\n<body><main>\n{head}{links}{body}"
        f"<footer>getam-core {escape(__version__)}. Method: Sun et al., GETAM, 2021.</footer>\n"
        "</main></body></html>\n"
    )


def table_html(contents: Table) -> str:
    """Write a table; percentages (columns of numbers other than counts) get a bar behind them."""
    header, rows = contents
    numeric = [
        title not in (*NAMES, *TEXTS) and all(re.fullmatch(r"[\d.]*", row[i]) for row in rows)
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
        kind = "text" if header in TEXTS else "name"
        return f'<td class="{kind}">{escape(text)}</td>'
    if header in COUNTS or not text:
        return f'<td class="number">{text}</td>'
    return f'<td class="number bar" style="--value:{text}">{text}</td>'


def figure_html(title: str, figure: Figure | bytes) -> str:
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
    return (
        f'<div class="scroll figure" style="--width:{width}">'
        f'<img class="{kind}" alt="{escape(title)}" src="{_data(form, data)}"></div>'
    )


def _data(form: str, data: bytes) -> str:
    return f"data:image/{form};base64,{base64.b64encode(data).decode('ascii')}"


def picture_html(title: str, picture: np.ndarray) -> str:
    """Embed a photograph, (H, W, 3) uint8 RGB, as WebP with its title below."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "webp", quality=85)
    H, W = picture.shape[:2]
    name, source = escape(title), _data("webp", buffer.getvalue())
    return (
        f'<figure><img alt="{name}" width="{W}" height="{H}" src="{source}">'
        f"<figcaption>{name}</figcaption></figure>"
    )


def caption_html(text: str) -> str:
    """Write a line of explanation; nothing if there is no text."""
    return f'<p class="caption">{escape(text)}</p>' if text else ""


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")
