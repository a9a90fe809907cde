"""Compare runs as rows of one of the paper's tables; with a plot."""

import argparse
import json
from pathlib import Path

from getam_core.data import class_names, read_index
from getam_core.evaluation import compare_runs, published_figures
from getam_core.files import atomic_path, read_json, write_json
from getam_core.report import comparison_figure
from getam_core.settings import TABLES
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    layout = settings.data.layout
    classes = class_names(settings.data.classes, read_index(arguments.index))
    named = json.loads(arguments.cells)
    cells = [
        (row, run, read_json(path))
        for (row, run), path in zip(named, arguments.entries, strict=True)
    ]
    published = published_figures(layout, arguments.table)
    table = {
        "run": arguments.run,
        "table": arguments.table,
        "dataset": settings.title or layout,
        "entries": compare_runs(cells, published, layout, classes),
    }
    with atomic_path(arguments.plot) as temporary:
        comparison_figure(table).savefig(temporary, dpi=150)
    write_json(arguments.out, table)


if __name__ == "__main__":
    arguments_parser = command.parser(__doc__, index="index.csv", plot="PNG", out="JSON")
    arguments_parser.add_argument("--run", required=True, help="name of the run")
    arguments_parser.add_argument("--table", required=True, choices=TABLES)
    arguments_parser.add_argument("--cells", required=True, help="row and run of each entry, JSON")
    arguments_parser.add_argument("--entries", type=Path, nargs="+", required=True)
    command.run(main, arguments_parser)
