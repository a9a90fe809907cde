"""Why a run stopped, printed last: Snakemake ends with the failed command, settings and all."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

FAILED = re.compile(r"^ +log: (.+) \(check log file\(s\) for error details\)$", re.MULTILINE)
SAID = re.compile(r"^(?:ERROR|WARNING: stopped on request): ", re.MULTILINE)
TRACEBACK = "Traceback (most recent call last):\n"
LINES = 6  # most that are shown of one stage; its log has all


def causes(logs: Iterable[Path | str]) -> str:
    """Return the message of every stage that failed, with the log that it is in.

    If no stage left a message, as when memory ran out, return the last line of each log.

    Parameters
    ----------
    logs : iterable of path
        Snakemake's own logs of this run. Unreadable ones are skipped: something has failed already,
        and an error here must not hide it.
    """
    failed = dict.fromkeys(names for log in logs for names in FAILED.findall(_text(log)))
    stages = [names.split(", ") for names in failed]  # a cluster adds its log to the stage's own
    said = filter(None, map(_message, stages))
    return "\n".join(said) or "\n".join(filter(None, map(_last_line, stages)))


def _message(logs: Sequence[str]) -> str:
    """Return what one stage said; for a traceback, the line before it and the exception's."""
    for log in logs:
        text = _text(log)
        if (start := SAID.search(text)) is None:
            continue
        message, _, traceback = text[start.start() :].rpartition(TRACEBACK)
        if message:
            raised = next((line for line in traceback.splitlines() if line[:1].strip()), "")
            lines = [message.splitlines()[0], raised]
        else:
            lines = traceback.partition("\nERROR: the others:")[0].rstrip().splitlines()
        shown = [*lines[:LINES], *(["  ..."] if lines[LINES:] else [])]
        return "\n".join([f"\n{log}:", *shown])
    return ""


def _last_line(logs: Sequence[str]) -> str:
    """Return the last line of the first log that is not empty."""
    for log in logs:
        if lines := _text(log).rstrip().splitlines():
            return f"\n{log} reports no error; its last line:\n{lines[-1]}"
    return ""


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
