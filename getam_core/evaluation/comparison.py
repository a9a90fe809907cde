"""Runs compared as rows of a paper's table: mean over seeds, spread, published figure."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from getam_core.evaluation.published import Published, is_comparable

Named = tuple[str, str, Mapping[str, Any]]  # row, run, entry


def compare_runs(
    cells: Sequence[Named],
    published: Mapping[str, Published],
    layout: str,
    classes: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Combine the figures of several runs, one for each row and kind of figure.

    Parameters
    ----------
    cells : sequence of (row, run, entry)
        Entries of `miou.json`; a row has one or several runs, of different seeds.
    published : mapping
        Rows of the paper's table, see `published_figures`.
    layout, classes
        Of the data set.

    Returns
    -------
    list of dict
        row, what, split, method, images; runs (name to mIoU in percent), miou (their mean) and,
        for several runs, spread (standard deviation, n - 1). If the paper has the row, and unless
        `what` is "seed": published (percent), source, and comparable (whether it is measured on
        the same images and classes).
    """
    groups: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for row, run, entry in cells:
        groups.setdefault((row, entry["what"], entry["split"]), {})[run] = entry
    made = []
    for (row, what, split), entries in groups.items():
        first = next(iter(entries.values()))
        compared = {"row": row, "what": what, "split": split, "method": first["method"]}
        compared |= {"images": first["images"], **_statistics(entries)}
        figure = getattr(published.get(row), split, None)
        if what != "seed" and figure is not None:
            same = is_comparable(layout, classes, split, first["images"])
            source = published[row].source
            compared |= {"published": figure, "source": source, "comparable": same}
        made.append(compared)
    return made


def _statistics(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    figures = {run: entry["miou"] for run, entry in entries.items()}
    known = [figure for figure in figures.values() if figure is not None]
    found: dict[str, Any] = {"runs": figures, "miou": round(mean(known), 2) if known else None}
    return found | ({"spread": round(stdev(known), 2)} if len(known) > 1 else {})
