"""The section of the paper's tables: which runs are their rows."""

from typing import Annotated

from pydantic import Field

from getam_core.settings.base import Distinct, Section

TABLES = ("table1", "table2", "table3", "table4")


class TablesSettings(Section):
    """Which runs are the rows of the paper's tables, on request.

    `ablation/table1.json` to `table4.json` compare them, with the published figures, and each has a
    plot. A row is a name and a run, `{GETAM: voc}`; a name that the paper uses gets the paper's
    figure. See docs/guides/comparing.md.
    """

    table1: dict[str, str] = Field(default_factory=dict)
    """Networks trained on several methods' maps: their segmentation of val, and the seeds of their
    maps."""
    table2: dict[str, str] = Field(default_factory=dict)
    """Networks trained on several kinds of labels: their segmentation of val."""
    table3: dict[str, str] = Field(default_factory=dict)
    """Runs whose pseudo labels are scored on train and on val. For these, maps and saliency of val
    are made, too, with the images' own classes."""
    table4: dict[str, str] = Field(default_factory=dict)
    """Backbones: their segmentation of val."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Distinct] = ()
    """Seeds of every row, such as `[0, 1, 2]`, for mean and standard deviation. At another seed
    than its own a run is called `<run>-seed<number>`. Empty: each run at its own seed."""
