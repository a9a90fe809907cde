"""What a command may end with other than success or a defect."""

from collections.abc import Sequence

from getam_core.control_characters import escaped

SHOWN = 20  # problems on the screen


class InputError(ValueError):
    """Wrong input: a setting, a file or a data set; the message names it and proposes the fix.

    The commands print the message without a traceback and end with exit code 2.

    Attributes
    ----------
    rest : tuple of str
        Lines that are too many for the screen; the commands write them to the log file.
    """

    def __init__(self, message: str, rest: Sequence[str] = ()):
        super().__init__(message)
        self.rest = tuple(rest)


class Interrupted(Exception):  # noqa: N818  (it is no error: the state is saved)
    """Work stopped on request; started again, it goes on where it stopped.

    Parameters
    ----------
    message : str
    signals : numbers of the signals that asked for it; the exit code is 128 + the last one's.
    """

    def __init__(self, message: str = "run the command again", *signals: int) -> None:
        super().__init__(message)
        self.signals = signals


def raise_problems(subject: str, problems: Sequence[str]) -> None:
    """Raise one `InputError` that counts `problems` and shows the first 20, one a line.

    The others are its `rest`, which a command writes to its log.

    Parameters
    ----------
    subject : str
        What was looked at, the beginning of the message ("the data set /data/VOC2012").
    problems : sequence of str
        One line each, whatever names they hold; nothing is raised when there is none.
    """
    if not problems:
        return
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    found = [f"  {escaped(problem)}" for problem in problems]
    lines, rest = [f"{subject}: {count}", *found[:SHOWN]], found[SHOWN:]
    if rest:
        lines.append(f"  ... and {len(rest)} more")
    raise InputError("\n".join(lines), rest)
