"""What a command may end with other than success or a defect."""


class InputError(ValueError):
    """Wrong input: a setting, a file or a data set; the message names it and proposes the fix.

    The commands print the message without a traceback and end with exit code 2.
    """


class Interrupted(Exception):  # noqa: N818  (it is no error: the state is saved)
    """Work stopped on request (exit code 130); started again, it goes on where it stopped."""
