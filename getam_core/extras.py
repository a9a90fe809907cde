"""Optional packages: the extras of pyproject.toml, imported where they are used."""

from collections.abc import Iterator
from contextlib import contextmanager

from getam_core.errors import InputError


@contextmanager
def needs(extra: str, part: str) -> Iterator[None]:
    """Import the packages of an extra in this block; one that is missing is wrong input.

    Parameters
    ----------
    extra : str
        Its name in pyproject.toml.
    part : str
        What needs it, as the message says it: "the dense CRF".

    Raises
    ------
    InputError
        An import failed. The message names the part, the package, the extra and the command.

    Examples
    --------
    >>> with needs("coco", "run lengths"):
    ...     from pycocotools import mask
    """
    try:
        yield
    except (ImportError, SystemExit) as error:  # rembg exits where it finds no onnxruntime
        raise InputError(
            f"{part}: {error}; install what it needs: pip install 'getam-core[{extra}]',"
            f" in a checkout .venv/bin/uv pip install -c requirements.lock -e '.[{extra}]'"
        ) from error
