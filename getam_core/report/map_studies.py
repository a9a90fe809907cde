"""Plots of GETAM's own choices: `ablation/fusion.json` (Fig. 7) and `ablation/blocks.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from getam_core.report.figures import COLOURS, plain_axes
from getam_core.report.pictures import INK, MUTED
from getam_core.report.tables import number

NAMES = {"sum": "sum (Eq. 3)", "product": "product", "matrix": "matrix product"}


def map_study_figure(study: Mapping[str, Any]) -> Figure:
    """Draw the seeds of a study's variants; for fusions, also how their maps' values spread."""
    return {"fusion": _fusion, "blocks": _blocks}[study["sweep"]](study["entries"])


def _fusion(entries: list[Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(9.2, 3.4), layout="constrained")
    seeds, values = (plain_axes(axes) for axes in figure.subplots(1, 2))
    for colour, entry in zip(COLOURS, entries, strict=False):
        thresholds, mious = np.asarray(entry["curve"], float).T
        label = f"{NAMES[entry['variant']]}: {number(entry['miou'])}"
        seeds.plot(thresholds, mious, color=colour, label=label, linewidth=1.6)
        shares = 100 * np.asarray(entry["histogram"])
        values.stairs(shares, np.linspace(0, 1, len(shares) + 1), color=colour, linewidth=1.4)
    seeds.set_xscale("log")
    seeds.set_xlabel("background threshold (share of a map's maximum)")
    seeds.set_ylabel("mIoU of the seeds, %")
    seeds.legend(frameon=False, fontsize=8, labelcolor=INK)
    values.set_yscale("log")
    values.set_xlabel("value of the fused map (share of its maximum)")
    values.set_ylabel("patches, %")
    return figure


def _blocks(entries: list[Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = plain_axes(figure.subplots())
    couplings = list(dict.fromkeys(entry["settings"]["coupling"] for entry in entries))
    for colour, coupling in zip(COLOURS, couplings, strict=False):
        chosen = [entry for entry in entries if entry["settings"]["coupling"] == coupling]
        counts = [entry["settings"]["blocks"] for entry in chosen]
        mious = np.array([np.nan if e["miou"] is None else e["miou"] for e in chosen], float)
        axes.plot(counts, mious, "o-", color=colour, label=coupling, markersize=4, linewidth=1.5)
        for count, miou in zip(counts, mious, strict=True):
            axes.annotate(
                f"{miou:.1f}", (count, miou), (0, 6),
                textcoords="offset points", ha="center", fontsize=7, color=MUTED,
            )  # fmt: skip
    axes.set_xticks(sorted({entry["settings"]["blocks"] for entry in entries}))
    axes.margins(y=0.15)
    axes.set_xlabel("last blocks that are summed")
    axes.set_ylabel("mIoU of the seeds, %")
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure
