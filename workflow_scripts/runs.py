"""What `rules/` need to plan: the library, importable by every stage, and the runs' settings."""

import csv
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from getam_core.errors import InputError
from getam_core.settings import (
    Settings,
    check_paths,
    load_settings,
    run_file,
    with_labels_at_its_seed,
)


def make_library_importable(repository: Path) -> None:
    """Let every stage find the library and this Python, even if its environment is not active."""
    for variable, first in (("PYTHONPATH", repository), ("PATH", Path(sys.executable).parent)):
        others = filter(None, [os.environ.get(variable)])
        os.environ[variable] = os.pathsep.join([str(first), *others])


@contextmanager
def without_traceback() -> Iterator[None]:
    """Turn wrong input into an error that Snakemake shows as its message alone."""
    try:
        yield
    except InputError as error:
        raise WorkflowError(str(error)) from None


def settings_reader(overrides: Mapping[str, Any]) -> Callable[[str], Settings]:
    """Return a function from a run's name to its settings; it reads and checks each run once.

    A seed in the name takes precedence over one on the command line, and also applies to the runs
    whose label maps this one is trained on.

    Parameters
    ----------
    overrides : mapping
        The `--config` of the command line.
    """

    @cache
    @without_traceback()
    def run_settings(run: str) -> Settings:
        path, said = run_file(run)
        settings = load_settings(path, {**overrides, **said})
        if said:
            settings = with_labels_at_its_seed(settings, lambda other: run_settings(other).seed)
        check_paths(settings, path, run)
        return settings

    return run_settings


def images_of(index: str, split: str) -> int:
    """Return how many images of an index.csv are in a split, without importing `data`.

    Planning asks once per job; the file is read only once.
    """
    return _splits_of(index, Path(index).stat().st_mtime_ns)[split]


@lru_cache
def _splits_of(index: str, _modified: int) -> Counter[str]:
    with Path(index).open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        column = next(rows).index("split")
        return Counter(row[column] for row in rows)
