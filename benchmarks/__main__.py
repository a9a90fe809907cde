"""`python -m benchmarks [maps] [labels] [loader] [step] [affinity]`: print markdown tables.

All on the CPU; with `--device cuda` the table `step`, with the paper's setting, on a GPU. Separate
commands: `python -m benchmarks gpu` (everything on a GPU) and `python -m benchmarks quality`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from functools import partial

import torch

from benchmarks import affinity, gpu, labels, loader, maps, quality, step
from getam_core.provenance import core_count, cpu_name

TABLES = {
    "maps": maps.print_table,
    "labels": labels.print_table,
    "loader": loader.print_table,
    "step": step.print_table,
    "affinity": affinity.print_table,
}

COMMANDS = {"gpu": gpu.main, "quality": quality.main}  # with options of their own


def hardware(device: torch.device) -> str:
    """Describe the hardware and versions that the figures depend on, in one line."""
    gpu = f"{torch.cuda.get_device_name(device)}, " if device.type == "cuda" else ""
    return (
        f"{gpu}{cpu_name()}, {core_count()} of {os.cpu_count()} cores,"
        f" threads: {torch.get_num_threads()}, torch {torch.__version__}, {date.today()}"
    )


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; if it names no table, take all that the device has."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", help=" or ".join(TABLES))
    parser.add_argument("--rounds", type=int, default=3, help="repeats; the median counts")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument(
        "--paper", action="store_true", help="the paper's setting in `step` on a CPU too"
    )
    arguments = parser.parse_args(words)
    gpu = arguments.device == "cuda"
    arguments.tables = arguments.tables or (["step"] if gpu else list(TABLES))
    if set(arguments.tables) - set(TABLES) or arguments.rounds < 1:
        parser.error(f"tables are {', '.join(TABLES)}, and --rounds is at least 1")
    if gpu and arguments.tables != ["step"]:
        parser.error("--device cuda: only `step` is measured on a GPU; leave out the other tables")
    if gpu and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no GPU; leave --device out for the CPU")
    return arguments


def main() -> int | None:
    """Print the tables that are asked for; return the exit code of a command."""
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        print(hardware(torch.device("cuda" if torch.cuda.is_available() else "cpu")))
        return COMMANDS[sys.argv[1]](sys.argv[2:])
    arguments = parse()
    device = torch.device(arguments.device)
    paper = arguments.paper or device.type == "cuda"
    tables = TABLES | {"step": partial(step.print_table, device=device, paper=paper)}
    print(hardware(device))
    for name in arguments.tables:
        tables[name](arguments.rounds)
    return None


if __name__ == "__main__":
    sys.exit(main())
