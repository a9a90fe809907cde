"""Plots of a run's numbers: training curves, seeds against the threshold, IoU by class."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from getam_core.errors import InputError
from getam_core.report.names import plain_text
from getam_core.report.pictures import INK, METHOD_TITLES, MUTED
from getam_core.report.tables import entry_name, number

# Okabe and Ito's colours: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LOSSES = {
    "loss": "total",
    "loss_classification": "classification",
    "loss_foreground": "foreground",
    "loss_background": "background",
    "loss_saliency": "saliency",
    "loss_segmentation": "segmentation",
    "loss_affinity": "affinity",
}


def training_curves(metrics: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw losses, classification quality and learning rate over the epochs.

    Parameters
    ----------
    metrics : sequence of mappings
        Rows of train/metrics.csv, one per epoch, values as text or numbers; an empty value was not
        measured. The epochs after the `phase` `classification` (segmentation is trained too) are
        shaded.
    """
    if not metrics:
        raise InputError("training curves: metrics.csv has no row; train for at least one epoch")
    epochs = _column(metrics, "epoch")
    figure = Figure(figsize=(9.6, 3.0), layout="constrained")
    losses, quality, rate = (
        plain_axes(axes) for axes in figure.subplots(1, 3, width_ratios=(3, 2, 2))
    )
    known = {key: label for key, label in LOSSES.items() if key in metrics[0]}
    for colour, (key, label) in zip((INK, *COLOURS), known.items(), strict=False):
        values = _column(metrics, key)
        values[values == 0] = np.nan  # a term that is not in use yet
        _line(losses, epochs, values, color=colour, label=label)
    losses.set_ylim(0, 1.3 * losses.get_ylim()[1])  # room for the legend
    losses.legend(frameon=False, fontsize=7.5, ncols=3, loc="upper left", labelcolor=INK)
    _line(quality, epochs, _column(metrics, "val_class_map"), color=COLOURS[0])
    _line(rate, epochs, _column(metrics, "lr"), color=COLOURS[1])
    rate.set_ylim(bottom=0)
    titles = (
        "Loss (shaded: segmentation is trained too)",
        "Class names found on val (mAP, %)",
        "Learning rate",
    )
    for axes, title in zip((losses, quality, rate), titles, strict=True):
        axes.set_title(title, fontsize=9.5, color=INK, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _shade_second_half(axes, epochs, [row.get("phase") for row in metrics])
    return figure


def seed_curves(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw mIoU against the background threshold, one curve per seed entry, its best point marked.

    Parameters
    ----------
    entries : sequence of mappings
        Entries of miou.json; those without a `curve`, a list of [threshold, mIoU in percent], are
        skipped.
    """
    seeds = [entry for entry in entries if entry.get("curve") and entry["miou"] is not None]
    splits = list(dict.fromkeys(entry["split"] for entry in seeds))
    methods = list(dict.fromkeys(entry["method"] for entry in seeds))
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = plain_axes(figure.subplots())
    for entry in seeds:
        thresholds, values = np.asarray(entry["curve"], float).T
        colour = COLOURS[methods.index(entry["method"]) % len(COLOURS)]
        style = ("-", "--", ":")[splits.index(entry["split"]) % 3]
        best = int(np.nanargmax(values))
        name = METHOD_TITLES.get(entry["method"], entry["method"])
        label = f"{name}, {entry['split']}: {values[best]:.1f} at {thresholds[best]:.3g}"
        axes.plot(thresholds, values, style, color=colour, label=label, linewidth=1.6)
        axes.plot(thresholds[best], values[best], "o", color=colour, markersize=5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("background threshold (share of a map's maximum)")
    axes.set_ylabel("mIoU of the seeds, %")
    if seeds:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def sweep_figure(sweep: Mapping[str, Any]) -> Figure:
    """Draw the figures of label maps over the values of one setting, or over its variants.

    Parameters
    ----------
    sweep : mapping
        An `ablation/<name>.json`: mIoU, mIoU of the known pixels and their share, in percent.
    """
    entries = sweep["entries"]
    shown = {
        "mIoU": [entry["miou"] for entry in entries],
        "mIoU, known pixels only": [entry.get("miou_known", entry["miou"]) for entry in entries],
        "known pixels": [100 * entry.get("coverage", 1.0) for entry in entries],
    }
    places = np.arange(len(entries))
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = plain_axes(figure.subplots())
    style = {"linewidth": 1.5 if sweep["ordered"] else 0}  # names have no order to follow
    for colour, (label, values) in zip(COLOURS, shown.items(), strict=False):
        heights = np.array([np.nan if value is None else value for value in values], float)
        _line(axes, places, heights, color=colour, label=label, **style)
    for place, entry in zip(places, entries, strict=True):
        if entry["miou"] is not None:
            axes.annotate(
                number(entry["miou"]), (place, entry["miou"]), (0, -12),
                textcoords="offset points", ha="center", fontsize=7, color=MUTED,
            )  # fmt: skip
    axes.set_xticks(places, [entry["variant"] for entry in entries])
    axes.set_xlabel(sweep["sweep"])
    axes.set_ylabel("%")
    axes.set_ylim(0, 105)
    axes.set_title(f"Pseudo labels, {sweep['run']}", fontsize=9.5, color=INK, loc="left")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8, labelcolor=INK)
    return figure


def class_bars(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the IoU of every class as bars, one colour per entry; an absent class has no bar.

    Parameters
    ----------
    entries : sequence of mappings
        Entries of miou.json with the same classes; two to four read best.
    """
    names = list(dict.fromkeys(name for entry in entries for name in entry["per_class"]))
    count, thick = max(len(entries), 1), 0.16
    height = len(names) * (count * thick + 0.14) + 0.5 + 0.2 * count
    figure = Figure(figsize=(6.4, height), layout="constrained")
    axes = plain_axes(figure.subplots(), grid="x")
    side = 0.8 / count
    for i, entry in enumerate(entries):
        known = [entry["per_class"].get(name) for name in names]
        values = np.array([np.nan if v is None else v for v in known], float)
        places = np.arange(len(names)) + (i - (count - 1) / 2) * side
        label = f"{entry_name(entry)}: mIoU {number(entry['miou']) or 'none'}"
        axes.barh(places, values, 0.9 * side, color=COLOURS[i % len(COLOURS)], label=label)
        for place, value in zip(places, values, strict=True):
            if np.isfinite(value):
                axes.text(
                    value + 0.8, place, f"{value:.0f}", va="center", fontsize=6.5, color=MUTED
                )
    axes.set_yticks(range(len(names)), [plain_text(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("IoU, %")
    figure.legend(loc="outside upper left", frameon=False, fontsize=8, labelcolor=INK)
    return figure


def _column(metrics: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    """One column as float, NaN where it is empty or absent."""
    values = [row.get(key) for row in metrics]
    return np.array([np.nan if v is None or v == "" else float(v) for v in values])


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, **style: Any) -> None:
    """Plot only the measured points, joined; nothing if there are none."""
    measured = np.isfinite(y)
    style = {"marker": "o", "markersize": 3.5, "linewidth": 1.5, **style}
    if measured.any():
        axes.plot(x[measured], y[measured], **style)


def plain_axes(axes: Axes, grid: Literal["x", "y"] = "y") -> Axes:
    """Style axes plainly: two spines, a light grid, small text."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9ca3af")
    axes.grid(axis=grid, color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=INK, length=3)
    for words in (axes.xaxis.label, axes.yaxis.label):
        words.set(fontsize=9, color=INK)
    return axes


def _shade_second_half(axes: Axes, epochs: np.ndarray, phases: Sequence[str | None]) -> None:
    """Shade the epochs that also train segmentation, if there are epochs of both kinds."""
    later = [number for number, phase in enumerate(phases) if phase != "classification"]
    if later and later[0] > 0:
        start = epochs[later[0]] - 0.5
        axes.axvspan(start, epochs[-1] + 0.5, color=COLOURS[0], alpha=0.07, lw=0)
