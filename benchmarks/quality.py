"""Time to quality: minutes until a run reaches the wanted figures, from a clean folder.

`python -m benchmarks quality --data-root FOLDER` runs `config/voc_mini.yaml` in a folder of its own
and prints a row for benchmarks/README.md. A row holds what every change is judged by: the figures
of the run, and when its first labels and its predictions were scored.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.timing import table
from getam_core.provenance import core_count, cpu_name, git_revision

REPOSITORY = Path(__file__).parents[1]
RUN = "voc_mini"
WANTED = {"pseudo_labels": 45.0, "segmentation_val": 40.0}  # mIoU, %
COLUMNS = ["date, commit", "machine", "pseudo labels, %", "minutes", "val, %", "minutes", "reached"]


@dataclass(frozen=True)
class Scored:
    """A figure of a run, and how long it took to get it."""

    miou: float  # %
    minutes: float  # since the run began


def measure(
    folder: Path, data_root: Path, *, cores: int, overrides: Sequence[str] = ()
) -> dict[str, Scored]:
    """Run the workflow to the entries of `WANTED` in an empty folder; return them by name.

    Parameters
    ----------
    overrides : further values of `--config`, such as "device=cuda".
    """
    (folder / "config").symlink_to(REPOSITORY / "config")
    entries = {name: f"results/{RUN}/evaluation/{name}.json" for name in WANTED}
    command = [sys.executable, "-m", "snakemake", "--cores", f"{cores}", "--directory", f"{folder}"]
    command += ["--snakefile", f"{REPOSITORY / 'Snakefile'}"]
    command += ["--config", f"data_root={data_root.absolute()}", *overrides]
    started = time.time()
    subprocess.run([*command, "--", *entries.values()], check=True)
    return {name: _scored(folder / path, started) for name, path in entries.items()}


def _scored(path: Path, started: float) -> Scored:
    minutes = (path.stat().st_mtime - started) / 60
    return Scored(json.loads(path.read_text(encoding="utf-8"))["miou"], minutes)


def row(scored: dict[str, Scored], machine: str) -> list[str]:
    """Return the row of a run in the table of `COLUMNS`."""
    figures = [
        text for each in scored.values() for text in (f"{each.miou:.1f}", f"{each.minutes:.1f}")
    ]
    reached = all(scored[name].miou >= least for name, least in WANTED.items())
    commit = (git_revision() or "no checkout")[:8]
    return [f"{date.today()}, {commit}", machine, *figures, "yes" if reached else "no"]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True, help="the folder voc_mini")
    parser.add_argument("--cores", type=int, default=core_count(), help="all by default")
    arguments = parser.parse_args(words)
    with TemporaryDirectory() as name:
        scored = measure(Path(name), arguments.data_root, cores=arguments.cores)
    wanted = " and ".join(f"{name} {least:g}" for name, least in WANTED.items())
    print(f"\n## quality: {RUN}; reached is {wanted}\n")
    print(table(COLUMNS, [row(scored, f"{cpu_name()}, {arguments.cores} cores")]))
