"""The one exception for what a user can mend."""


class InputError(ValueError):
    """Wrong input: a setting, a file or a data set; the message names it and proposes the fix.

    The commands print the message without a traceback and end with exit code 2.
    """
