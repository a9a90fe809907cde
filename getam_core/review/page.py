"""The page of the images to look at first: each with pseudo label, prediction and the reason."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np

from getam_core.classes import BACKGROUND, IGNORE
from getam_core.data import read_image
from getam_core.report.page import caption_html, picture_html, write_page
from getam_core.report.pictures import BRIGHT, colour_labels
from getam_core.review.table import Row
from getam_core.stores import Store

LONG_SIDE = 320  # of a panel, pixels
EXPLANATION = (
    "Training images whose labels the trained network contradicts, the most suspicious first. "
    "review.csv lists all of them with their numbers. No mask was opened: look at the image to "
    "decide whether the label or the network is wrong."
)


@dataclass(frozen=True)
class Suspect:
    """An image on the page.

    Attributes
    ----------
    row : Row
        Its line in review.csv.
    image : (H, W, 3) ndarray of uint8, RGB
    pseudo_label : (H, W) ndarray of uint8
        255 for unknown.
    prediction : (H, W) ndarray of uint8, or None
    """

    row: Row
    image: np.ndarray
    pseudo_label: np.ndarray
    prediction: np.ndarray | None


def suspects(rows: Sequence[Row], labels: Store, predictions: Store | None) -> Iterator[Suspect]:
    """Read what the page shows of each row, with only one image at a time in memory."""
    for row in rows:
        image_id = row.entry.image_id
        prediction = None if predictions is None else predictions[image_id]
        yield Suspect(row, read_image(row.entry.image), labels[image_id], prediction)


def write_review(
    out: Path | str, run: str, shown: Iterable[Suspect], classes: Sequence[str], count: int
) -> None:
    """Write the page, one self-contained HTML file.

    Parameters
    ----------
    out : path
        Written whole or not at all.
    run : str
        Its name.
    shown : iterable of Suspect
        In the order of the page.
    classes : sequence of str
        Names of the C foreground classes.
    count : int
        How many images were ranked.
    """
    articles = [_article(suspect, classes) for suspect in shown]
    lead = f"The first {len(articles)} of {count} training images to look at."
    head = f'<h1>{escape(run)}: review</h1>\n<p class="lead">{lead}</p>\n'
    body = caption_html(EXPLANATION) + "".join(articles)
    write_page(out, f"{run}, review", head, {"Look at these first": body})


def _article(suspect: Suspect, classes: Sequence[str]) -> str:
    row, panels = suspect.row, {"Image": suspect.image}
    for title, label_map in _label_maps(suspect).items():
        panels[title] = colour_labels(label_map, suspect.image)
    pictures = "".join(picture_html(title, _small(panel)) for title, panel in panels.items())
    return (
        f'<article class="suspect"><h3>{row.rank}. {escape(row.entry.image_id)}</h3>'
        f"<p>{escape(row.reason)}</p>"
        f'<div class="panels">{pictures}</div>{_legend(suspect, classes)}</article>\n'
    )


def _label_maps(suspect: Suspect) -> dict[str, np.ndarray]:
    both = {"Pseudo label": suspect.pseudo_label, "Prediction": suspect.prediction}
    return {title: label_map for title, label_map in both.items() if label_map is not None}


def _legend(suspect: Suspect, classes: Sequence[str]) -> str:
    """Name the labels and, in the colours of the panels, the classes that are drawn there."""
    drawn = [np.unique(label_map) for label_map in _label_maps(suspect).values()]
    chips = "".join(
        f'<span class="chip" style="--colour:rgb{tuple(map(int, BRIGHT[value]))}">'
        f"{escape(classes[value - 1])}</span>"
        for value in np.unique(np.concatenate(drawn))
        if value not in (BACKGROUND, IGNORE)
    )
    labels = ", ".join(suspect.row.entry.classes) or "none"
    return f'<p class="legend"><span>Labelled: {escape(labels)}</span>{chips}</p>'


def _small(panel: np.ndarray) -> np.ndarray:
    """Shrink a panel to `LONG_SIDE`; a small one stays as it is."""
    factor = LONG_SIDE / max(panel.shape[:2])
    if factor >= 1:
        return panel
    return cv2.resize(panel, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
