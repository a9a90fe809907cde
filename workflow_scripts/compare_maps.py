"""Compare the seeds of all methods, ranked; with a plot over the thresholds."""

import argparse
from pathlib import Path

from getam_core.evaluation import rank_maps
from getam_core.files import atomic_path, read_json, write_json
from getam_core.report import read_metrics, seed_curves
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    seeds = [read_json(path) for path in arguments.seeds]
    quality = [read_metrics(path)[-1]["val_class_map"] for path in arguments.metrics]
    ranked = rank_maps(seeds, [float(value) if value else None for value in quality])
    with atomic_path(arguments.plot) as temporary:
        seed_curves(ranked).savefig(temporary, dpi=150)
    write_json(arguments.out, {"run": arguments.run, "sweep": "maps", "entries": ranked})


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, plot="PNG", out="JSON")
    arguments_parser.add_argument("--run", required=True, help="name of the run")
    arguments_parser.add_argument("--seeds", type=Path, nargs="+", required=True, help="entries")
    arguments_parser.add_argument(
        "--metrics", type=Path, nargs="+", required=True, help="metrics.csv of their networks"
    )
    command.run(main, arguments_parser)
