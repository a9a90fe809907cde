"""All problems of a data set at once, so that it is mended once and not file by file."""

from collections.abc import Sequence

from getam_core.errors import InputError

SHOWN = 20


def raise_problems(subject: str, problems: Sequence[str]) -> None:
    """Raise one `InputError` that counts `problems` and shows the first 20, one a line.

    The others are its `rest`, which a command writes to its log.

    Parameters
    ----------
    subject : str
        What was looked at, the beginning of the message ("the data set /data/VOC2012").
    problems : sequence of str
        One line each; nothing is raised when there is none.
    """
    if not problems:
        return
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{subject}: {count}", *(f"  {problem}" for problem in problems[:SHOWN])]
    rest = [f"  {problem}" for problem in problems[SHOWN:]]
    if rest:
        lines.append(f"  ... and {len(rest)} more")
    raise InputError("\n".join(lines), rest)
