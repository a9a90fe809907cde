"""What a command may end with other than success or a defect."""

from collections.abc import Sequence


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
