"""Tables of runs as the paper has them: `ablation/table1.json` to rows of text and to a plot."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from getam_core.report.figures import COLOURS, plain_axes
from getam_core.report.names import plain_text
from getam_core.report.pictures import INK, MUTED
from getam_core.report.tables import WHAT, Table, number

TITLES = {
    "table1": "Table 1: methods of maps that networks are trained with",
    "table2": "Table 2: labels that networks are trained on",
    "table3": "Table 3: pseudo labels",
    "table4": "Table 4: backbones",
}
Kind = tuple[str, str]  # what, split


def comparison_note(table: Mapping[str, Any]) -> str:
    """Say which published figures are beside ours, and whether they may be compared."""
    said = [entry for entry in table["entries"] if "published" in entry]
    spread = " ± is the standard deviation over seeds." if _seeds(table) > 1 else ""
    text = f"mIoU in percent on {table['dataset']}.{spread}"
    if not said:
        return text
    sources = ", ".join(dict.fromkeys(entry["source"] for entry in said))
    other = [entry for entry in said if not entry["comparable"]]
    if not other:
        return f"{text} Published: {sources}."
    kinds = "; ".join(dict.fromkeys(_title((e["what"], e["split"])) for e in other))
    which = "all" if len(other) == len(said) else kinds
    return f"{text} Published: {sources}. On other images or classes, so not comparable: {which}."


def comparison_table(table: Mapping[str, Any]) -> Table:
    """Make the table of a comparison: a row for each row, two columns for each kind of figure."""
    kinds, seeds = _kinds(table), _seeds(table)
    header = ["Row"]
    for kind in kinds:
        header += [_title(kind), *(["±"] if seeds > 1 else [])]
        header += ["Published"] if _published(table, kind) else []
    rows = []
    for row in _rows(table):
        cells = [row]
        for kind in kinds:
            entry = _entry(table, row, kind)
            cells += [number(entry.get("miou"))]
            cells += [number(entry.get("spread"))] if seeds > 1 else []
            cells += [number(entry.get("published"))] if _published(table, kind) else []
        runs = dict.fromkeys(run for e in table["entries"] if e["row"] == row for run in e["runs"])
        rows.append([*cells, ", ".join(runs)])
    return [*header, "Runs"], rows


def comparison_figure(table: Mapping[str, Any]) -> Figure:
    """Draw a bar per row and kind, its spread over seeds, and the published figure as a diamond.

    The diamond is hollow if the published figure is of other images or classes.
    """
    rows, kinds = _rows(table), _kinds(table)
    side = 0.8 / max(len(kinds), 1)
    height = 0.32 * len(rows) * max(len(kinds), 1) ** 0.5 + 1.3
    figure = Figure(figsize=(6.4, height), layout="constrained")
    axes = plain_axes(figure.subplots(), grid="x")
    for i, kind in enumerate(kinds):
        places = np.arange(len(rows)) + (i - (len(kinds) - 1) / 2) * side
        entries = [_entry(table, row, kind) for row in rows]
        means = _column(entries, "miou")
        axes.barh(places, means, 0.9 * side, color=COLOURS[i], label=_title(kind))
        spread = _column(entries, "spread")
        axes.errorbar(
            means, places, xerr=np.nan_to_num(spread),
            fmt="none", ecolor=INK, elinewidth=1, capsize=2,
        )  # fmt: skip
        ends = means + np.nan_to_num(spread)
        for place, end, value in zip(places, ends, means, strict=True):
            if np.isfinite(value):
                axes.text(end + 0.8, place, f"{value:.1f}", va="center", fontsize=7, color=MUTED)
        _diamonds(axes, places, entries)
    axes.set_yticks(range(len(rows)), [plain_text(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("mIoU, %")
    axes.set_title(TITLES[table["table"]], fontsize=9.5, color=INK, loc="left")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8, labelcolor=INK)
    return figure


def _diamonds(axes: Any, places: np.ndarray, entries: list[Mapping[str, Any]]) -> None:
    """Mark published figures; the legend names each kind of mark once."""
    for comparable in (True, False):
        chosen = [entry.get("comparable") is comparable for entry in entries]
        if not any(chosen):
            continue
        other = "published, on other images or classes: not comparable"
        label = "published" if comparable else other
        known = axes.get_legend_handles_labels()[1]
        axes.plot(
            _column(entries, "published")[chosen], places[chosen], "D", markersize=5,
            color=INK, markerfacecolor=INK if comparable else "white",
            label="_" if label in known else label,
        )  # fmt: skip


def _title(kind: Kind) -> str:
    return f"{WHAT[kind[0]]}, {kind[1]}"


def _rows(table: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(entry["row"] for entry in table["entries"]))


def _kinds(table: Mapping[str, Any]) -> list[Kind]:
    return list(dict.fromkeys((entry["what"], entry["split"]) for entry in table["entries"]))


def _seeds(table: Mapping[str, Any]) -> int:
    return max((len(entry["runs"]) for entry in table["entries"]), default=0)


def _published(table: Mapping[str, Any], kind: Kind) -> bool:
    return any("published" in _entry(table, row, kind) for row in _rows(table))


def _entry(table: Mapping[str, Any], row: str, kind: Kind) -> Mapping[str, Any]:
    """Return the entry of a row; an empty one if the row has none of this kind."""
    found = (e for e in table["entries"] if (e["row"], e["what"], e["split"]) == (row, *kind))
    return next(found, {})


def _column(entries: list[Mapping[str, Any]], key: str) -> np.ndarray:
    values = [entry.get(key) for entry in entries]
    return np.array([np.nan if value is None else value for value in values], float)
