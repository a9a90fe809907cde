"""The README's picture: the whole method in one row per image, in words a newcomer understands."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from getam_core.errors import InputError
from getam_core.report.pictures import (
    INK,
    MUTED,
    Example,
    colour_labels,
    draw_grid,
    draw_legend,
    overlay,
)

# (stage, title, caption) of every column; columns that share a stage are under one bracket.
Column = tuple[str, str, str]
COLUMNS: tuple[Column, ...] = (
    ("What training is given", "Image", "and the names of\nwhat it shows"),
    ("What the method makes of it", "GETAM map", "where the network\nfinds each name"),
    (
        "What the method makes of it",
        "Pseudo label",
        "map + saliency, along edges;\nhatched: unknown",
    ),
    ("What the method makes of it", "Predicted mask", "the trained network,\nfrom the image alone"),
    ("Only to score it", "Ground truth", "never seen\nin training"),
)


def hero(rows: Sequence[Example]) -> Figure:
    """Draw a few examples across: image, GETAM map, pseudo label, predicted mask, ground truth.

    Parameters
    ----------
    rows : sequence of Example
        One to about five; the map is that of method `getam`, otherwise the first. A column that no
        example fills is left out. `classes` should name every class of the row.

    Returns
    -------
    matplotlib.figure.Figure
        On white, 1.7 inches per panel; save with `dpi=150` or more.
    """
    if not rows:
        raise InputError("hero picture: no example to draw; give at least one")
    panels = [_panels(example) for example in rows]
    columns = [column for column in COLUMNS if any(column[1] in row for row in panels)]
    figure, grid = draw_grid(rows, len(columns), cell=1.7, left=0.08, top=1.0, below=0.3)
    figure.set_facecolor("white")
    for example, row, line in zip(rows, panels, grid, strict=True):
        for (_, title, _), axes in zip(columns, line, strict=True):
            if title in row:
                axes.imshow(row[title], interpolation="antialiased")
        draw_legend(line[0], example, INK, 9)
    for (_, title, caption), axes in zip(columns, grid[0], strict=True):
        _words(axes, 28, title, fontsize=11, fontweight="bold", color=INK)
        _words(axes, 5, caption, fontsize=7.5, color=MUTED, linespacing=1.15)
    _brackets(figure, columns, grid[0])
    return figure


def _panels(example: Example) -> dict[str, np.ndarray]:
    """Panels of one row by column title; what the example lacks is left out."""
    panels = {"Image": example.image}
    if example.maps:
        maps = example.maps.get("getam", next(iter(example.maps.values())))
        panels["GETAM map"] = overlay(example.image, maps, list(example.classes))
    for title, label_map in (
        ("Pseudo label", example.pseudo_label),
        ("Predicted mask", example.prediction),
        ("Ground truth", example.mask),
    ):
        if label_map is not None:
            panels[title] = colour_labels(label_map, example.image)
    return panels


def _words(axes: Axes, points: float, text: str, **style: Any) -> None:
    """Write centred text `points` above a panel."""
    axes.annotate(
        text, (0.5, 1), (0, points), xycoords="axes fraction", textcoords="offset points",
        ha="center", va="bottom", annotation_clip=False, **style,
    )  # fmt: skip


def _brackets(
    figure: Figure, columns: Sequence[tuple[str, str, str]], line: Sequence[Axes]
) -> None:
    """Write each stage's name over a thin rule that spans its columns."""
    height = figure.get_figheight()
    for stage in dict.fromkeys(column[0] for column in columns):
        boxes = [a.get_position() for c, a in zip(columns, line, strict=True) if c[0] == stage]
        y = boxes[0].y1 + 0.68 / height
        x0, x1 = boxes[0].x0, boxes[-1].x1
        figure.add_artist(Line2D([x0, x1], [y, y], color=MUTED, linewidth=0.8))
        figure.text((x0 + x1) / 2, y + 0.05 / height, stage, ha="center", va="bottom",
                    fontsize=8.5, color=INK)  # fmt: skip
