"""Which classes are mistaken for which: the confusion matrix as a picture."""

import csv
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from getam_core.report.names import plain_text
from getam_core.report.pictures import INK, MUTED

NUMBERED = 25  # the most rows at which cells have room for a number
LEAST = 0.5  # percent; a smaller share is not written
CELL = 0.34  # inches


def read_confusion(path: Path | str) -> tuple[list[str], np.ndarray]:
    """Read evaluation/confusion_*.csv.

    Returns
    -------
    names : list of str
        Of the rows, background first.
    counts : (C + 1, C + 2) ndarray of int64
        Pixels by true class (row) and prediction (column); the last column is unknown.
    """
    with Path(path).open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    return [row[0] for row in rows], np.array([row[1:] for row in rows]).astype(np.int64)


def confusion_figure(names: list[str], counts: np.ndarray) -> Figure:
    """Draw which share of each true class is predicted as what, one row per true class.

    Classes without a true pixel have an empty row. The column of unknown pixels is drawn if there
    are any.
    """
    total = counts.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, 100 * counts / np.maximum(total, 1), np.nan)
    columns = [*names, "unknown"]
    if not counts[:, -1].any():
        shares, columns = shares[:, :-1], columns[:-1]
    side = CELL if len(names) <= NUMBERED else 0.14
    figure = Figure(
        figsize=(side * len(columns) + 2.2, side * len(names) + 1.6), layout="constrained"
    )
    axes = figure.subplots()
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=100, rasterized=len(names) > NUMBERED)
    if len(names) <= NUMBERED:
        _write_shares(axes, shares)
    _label(axes, names, columns, 8 if len(names) <= NUMBERED else 6)
    return figure


def _write_shares(axes: Axes, shares: np.ndarray) -> None:
    for (row, column), share in np.ndenumerate(shares):
        if share >= LEAST:
            colour = "white" if share > 60 else INK
            axes.text(
                column + 0.5, row + 0.5, f"{share:.0f}", ha="center", va="center", fontsize=7,
                color=colour,
            )  # fmt: skip


def _label(axes: Axes, names: list[str], columns: list[str], size: float) -> None:
    axes.set_xticks(
        np.arange(len(columns)) + 0.5, map(plain_text, columns), rotation=90, fontsize=size
    )
    axes.set_yticks(np.arange(len(names)) + 0.5, map(plain_text, names), fontsize=size)
    axes.tick_params(length=0, colors=INK)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted", color=MUTED, fontsize=9)
    axes.set_ylabel("true class, % of its pixels", color=MUTED, fontsize=9)
