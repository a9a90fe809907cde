"""What the sessions of a training cost; Snakemake's benchmark has only the last one."""

import csv
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Seconds, seconds, and MB of the first process; as in Snakemake's benchmarks.
COLUMNS = ("s", "cpu_time", "max_rss")


@contextmanager
def session(record: Path, *, goes_on: bool, counts: Callable[[], bool]) -> Iterator[None]:
    """Add a row to `record` when the block ends, even by an exception; only a kill leaves none.

    Parameters
    ----------
    goes_on : bool
        Whether a state is resumed; if not, the record starts over.
    counts : callable
        Asked at the end; a session that only restored what had finished does not count.
    """
    started = time.monotonic()
    try:
        yield
    finally:
        if counts():
            _add(record, time.monotonic() - started, anew=not (goes_on and record.exists()))


def _add(record: Path, seconds: float, *, anew: bool) -> None:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    used = sum(usage.ru_utime + usage.ru_stime for usage in (own, children))
    row = (f"{seconds:.2f}", f"{used:.2f}", f"{own.ru_maxrss / 1024:.2f}")
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.open("w" if anew else "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        if anew:
            writer.writerow(COLUMNS)
        writer.writerow(row)
