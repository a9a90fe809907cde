"""What each stage cost, from Snakemake's benchmark files."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from getam_core.report.tables import Table

SHARD = re.compile(r"_\d+$")  # the shards of a stage share one line


@dataclass
class Cost:
    """Time summed over the jobs of a stage, and what memory each needed."""

    jobs: int = 0
    seconds: float = 0.0
    cpu_seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def add(self, row: dict[str, str]) -> None:
        """Add one job; what Snakemake could not measure (`NA`, `-`) is left out."""
        self.jobs += 1
        self.seconds += float(row["s"])
        for values, key in ((self.cpu_seconds, "cpu_time"), (self.megabytes, "max_rss")):
            if (value := _measured(row.get(key))) is not None:
                values.append(value)


def read_costs(files: Iterable[Path], sessions: Iterable[Path] = ()) -> dict[str, Cost]:
    """Read benchmarks/*.tsv: stage to its cost, the most expensive first.

    `sessions` are tables of the same form, with all the jobs that a training took: if it was
    resumed or restored, the benchmark has only its last job.
    """
    costs = _read(files) | _read(sessions)
    return dict(sorted(costs.items(), key=lambda item: -item[1].seconds))


def _read(files: Iterable[Path]) -> dict[str, Cost]:
    costs: dict[str, Cost] = {}
    for path in sorted(files):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                costs.setdefault(SHARD.sub("", path.stem), Cost()).add(row)
    return costs


def cost_table(costs: dict[str, Cost]) -> Table:
    """Make the table: stage, jobs, time, CPU time, highest memory; empty where not measured."""
    rows = [
        [
            stage.replace("_", " "),
            str(cost.jobs),
            duration(cost.seconds),
            duration(sum(cost.cpu_seconds)) if cost.cpu_seconds else "",
            f"{max(cost.megabytes) / 1024:.1f} GiB" if cost.megabytes else "",
        ]
        for stage, cost in costs.items()
    ]
    return ["Stage", "Jobs", "Time", "CPU time", "Highest memory"], rows


def duration(seconds: float) -> str:
    """Write seconds as `12 s`, `3 min 5 s` or `2 h 4 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _measured(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
