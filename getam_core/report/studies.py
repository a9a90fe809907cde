"""The comparisons of a run that were requested, `ablation/*.json`, as sections of its report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from getam_core.files import read_json
from getam_core.report.comparison import (
    TITLES,
    comparison_figure,
    comparison_note,
    comparison_table,
)
from getam_core.report.figures import seed_curves, sweep_figure
from getam_core.report.map_studies import map_study_figure
from getam_core.report.tables import Table

MAP_STUDIES = {
    "fusion": "Fusion of the blocks' maps (Fig. 7)",
    "blocks": "Blocks and coupling",
}


class Study(NamedTuple):
    """A section; `note` is a line of explanation and may be empty."""

    title: str
    note: str
    table: Table | None
    figure: Figure


def read_studies(folder: Path) -> list[Study]:
    """Return a section for each comparison in `ablation/`, in the order of their names."""
    return [_study(read_json(path)) for path in sorted(folder.glob("*.json"))]


def _study(made: Mapping[str, Any]) -> Study:
    if "table" in made:
        title = TITLES[made["table"]]
        return Study(title, comparison_note(made), comparison_table(made), comparison_figure(made))
    if made["sweep"] in MAP_STUDIES:
        return Study(MAP_STUDIES[made["sweep"]], "", None, map_study_figure(made))
    if made["sweep"] == "maps":
        return Study("Maps of all methods", "", None, seed_curves(made["entries"]))
    return Study(f"Pseudo labels by {made['sweep']}", "", None, sweep_figure(made))
