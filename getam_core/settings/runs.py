"""A run's name: which file describes it, and at which seed it runs."""

import re
from pathlib import Path
from typing import Any

CONFIG = Path("config")
AT_SEED = re.compile(r"(.+)-seed(0|[1-9]\d*)")


def run_file(run: str, folder: Path = CONFIG) -> tuple[Path, dict[str, Any]]:
    """Return the file of a run, and the keys that its name sets.

    `NAME-seed3` is `NAME.yaml` at seed 3, unless it has a file of its own.
    """
    own = folder / f"{run}.yaml"
    named = AT_SEED.fullmatch(run)
    if named is None or own.is_file():
        return own, {}
    return folder / f"{named[1]}.yaml", {"seed": int(named[2])}


def is_at_seed(run: str, folder: Path = CONFIG) -> bool:
    """Whether the seed of a run is in its name."""
    return bool(run_file(run, folder)[1])


def at_seed(run: str, own: int, seed: int) -> str:
    """Return the name, at seed `seed`, of a run whose own seed is `own`."""
    return run if seed == own else f"{run}-seed{seed}"
