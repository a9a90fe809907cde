"""`python -m benchmarks [maps] [labels] [loader] [step]`: print markdown tables, on the CPU."""

import argparse
import os
import platform
from datetime import date
from pathlib import Path

import torch

from benchmarks import labels, loader, maps, step

TABLES = {
    "maps": maps.print_table,
    "labels": labels.print_table,
    "loader": loader.print_table,
    "step": step.print_table,
}


def hardware() -> str:
    """Say what the figures depend on, in one line."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{cpu}, {ours} of {os.cpu_count()} cores, threads: {torch.get_num_threads()},"
        f" torch {torch.__version__}, {date.today()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TABLES), help=" or ".join(TABLES))
    parser.add_argument("--rounds", type=int, default=3, help="repeats, of which the median counts")
    arguments = parser.parse_args()
    unknown = set(arguments.tables) - set(TABLES)
    if unknown or arguments.rounds < 1:
        parser.error(f"tables are {', '.join(TABLES)}, and --rounds is at least 1")
    print(hardware())
    for name in arguments.tables:
        TABLES[name](arguments.rounds)


if __name__ == "__main__":
    main()
