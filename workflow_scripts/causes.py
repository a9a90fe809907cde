"""Why a run stopped, said last: Snakemake prints the failed command, settings and all, after it."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

FAILED = re.compile(r"^ +log: (.+) \(check log file\(s\) for error details\)$", re.MULTILINE)
SAID = re.compile(r"^(?:ERROR|WARNING: stopped on request): ", re.MULTILINE)
TRACEBACK = "Traceback (most recent call last):\n"
LINES = 6  # of one stage; its log has all


def causes(logs: Iterable[Path | str]) -> str:
    """Return the message of every stage that failed, with the log that it stands in.

    Where none has left one, as when memory ran out, the last line of their logs stands for it.

    Parameters
    ----------
    logs : iterable of path
        Snakemake's own logs of this run. What cannot be read is passed over: this is called when
        something has failed already, and must not hide it.
    """
    failed = dict.fromkeys(names for log in logs for names in FAILED.findall(_text(log)))
    stages = [names.split(", ") for names in failed]  # a cluster's log beside the stage's own
    said = filter(None, map(_message, stages))
    return "\n".join(said) or "\n".join(filter(None, map(_last_line, stages)))


def _message(logs: Sequence[str]) -> str:
    """Return what one stage said; of a traceback its first line and the exception's."""
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
    """Return the end of the first log that has any."""
    for log in logs:
        if lines := _text(log).rstrip().splitlines():
            return f"\n{log} names no error; its last line:\n{lines[-1]}"
    return ""


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
