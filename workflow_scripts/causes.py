"""Why a run stopped, said last: Snakemake prints the failed command, settings and all, after it."""

import re
from collections.abc import Iterable
from pathlib import Path

FAILED = re.compile(r"^    log: (.+) \(check log file\(s\) for error details\)$", re.MULTILINE)
SAID = re.compile(r"^(?:ERROR|WARNING: stopped on request): ", re.MULTILINE)
TRACEBACK = "\nTraceback "
LINES = 6  # of one stage; its log has all


def causes(logs: Iterable[Path | str]) -> str:
    """Return the message of every stage that failed, with the log that it stands in.

    Parameters
    ----------
    logs : iterable of path
        Snakemake's own logs of this run. What cannot be read is passed over.
    """
    failed = [name for log in logs for name in FAILED.findall(_text(log))]
    return "\n".join(filter(None, map(_cause, dict.fromkeys(failed))))


def _cause(log: str) -> str:
    """Return the message in one stage's log; of a traceback its first and its last line."""
    text = _text(log)
    if (start := SAID.search(text)) is None:
        return ""
    lines = text[start.start() :].partition("\nERROR: the others:")[0].rstrip().splitlines()
    if TRACEBACK in text:
        lines = [lines[0], lines[-1]]
    shown = [*lines[:LINES], *(["  ..."] if lines[LINES:] else [])]
    return "\n".join([f"\n{log}:", *shown])


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
