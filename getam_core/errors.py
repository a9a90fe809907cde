"""How a command may end, other than with success or a bug."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from getam_core.control_characters import escaped

SHOWN = 20  # problems on the screen
LISTED = 8  # names that a message lists; if there are more, it proposes the nearest


class InputError(ValueError):
    """Wrong input: a setting, a file or a data set; the message names it and proposes the fix.

    The commands print the message without a traceback and end with exit code 2.

    Attributes
    ----------
    rest : tuple of str
        Lines beyond those shown on the screen; the commands write them to the log file.
    """

    def __init__(self, message: str, rest: Sequence[str] = ()):
        super().__init__(message)
        self.rest = tuple(rest)


class Interrupted(Exception):  # noqa: N818  (it is no error: the state is saved)
    """Work stopped on request; when started again, it resumes where it stopped.

    Parameters
    ----------
    message : str
    *signals : int
        Numbers of the signals that asked for the stop; the exit code is 128 + the last of them.
    """

    def __init__(self, message: str = "run the command again", *signals: int) -> None:
        super().__init__(message)
        self.signals = signals


def raise_problems(subject: str, problems: Sequence[str]) -> None:
    """Raise one `InputError` that counts `problems` and shows the first 20, one per line.

    The others are its `rest`, which a command writes to its log.

    Parameters
    ----------
    subject : str
        What was checked, the beginning of the message ("the data set /data/VOC2012").
    problems : sequence of str
        Each becomes one line, even with line breaks in it; if there are none, nothing is raised.
    """
    if not problems:
        return
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    found = [f"  {escaped(problem)}" for problem in problems]
    lines, rest = [f"{subject}: {count}", *found[:SHOWN]], found[SHOWN:]
    if rest:
        lines.append(f"  ... and {len(rest)} more")
    raise InputError("\n".join(lines), rest)


def joined_by_or(names: Iterable[object]) -> str:
    """Join at least one name as in `a, b or c`."""
    *others, last = map(str, names)
    return f"{', '.join(others)} or {last}" if others else last


def check_name(what: str, name: str, known: Iterable[str]) -> None:
    """Raise `unknown_name` unless `name` is among `known`."""
    known = list(known)
    if name not in known:
        raise unknown_name(what, name, known)


def unknown_name(what: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name not in `known`; it lists them if few, else the nearest."""
    known = list(known)
    if len(known) <= LISTED:
        return InputError(f"{what} {name!r}: expected {joined_by_or(known)}")
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f"; did you mean {joined_by_or(near)}?" if near else ""
    return InputError(f"unknown {what} {name!r}{meant}")
