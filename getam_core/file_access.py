"""Refusals of the operating system are not damage: the file may be whole, so do not delete it.

A disk that is full or gone, a lock, a permission: each gets one line with the cause and what to do.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from getam_core.errors import InputError

_GONE = "is the disk mounted, and its server up? Run the command again once it is"
_PERMISSION = "ask the owner of the file or folder for permission"
_NAME = "is this the path of a file?"

# Codes that say nothing about the file's bytes. EINVAL is not one: a damaged offset raises it.
ADVICE = {
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOSPC: "make room on the disk, then run the command again",
    errno.EDQUOT: "make room within your quota, then run the command again",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "the machine has too many open files; end other programs",
    errno.ENOMEM: "free some memory, then run the command again",
    errno.EAGAIN: "another process holds its lock; wait until it ends, then run the command again",
    errno.ENOLCK: "the disk does not support locks; set HDF5_USE_FILE_LOCKING=FALSE",
    errno.EBUSY: "another program uses it; run the command again once it has ended",
    errno.EIO: "the disk or its connection fails; check it, then run the command again",
    errno.EEXIST: "a file is where a folder should be; name another folder",
    errno.EISDIR: _NAME,
    errno.ENOTDIR: _NAME,
    errno.ENAMETOOLONG: _NAME,
    errno.ELOOP: "its symbolic links form a loop; fix them",
    **dict.fromkeys(
        (
            errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESHUTDOWN,
            errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.EREMOTEIO,
        ),
        _GONE,
    ),
}  # fmt: skip


class FileAccessError(InputError):
    """A file cannot be read or written now; its content may be fine."""


def error_code(error: BaseException) -> int | None:
    """Return the `errno` of an exception, None if it has none.

    h5py also raises `KeyError` and `RuntimeError`, with the code only in their text.
    """
    code = getattr(error, "errno", None)
    if code is None and (found := re.search(r"\berrno = (\d+)", str(error))):
        code = int(found[1])
    return code


def refusal(path: Path | str, error: BaseException, what: str) -> FileAccessError | None:
    """Return the error to raise for a refusal by the operating system, None for other errors.

    Parameters
    ----------
    path : Path
    error : exception
    what : str
        What was not possible: "could not be read".
    """
    code = error_code(error)
    if code == errno.ENOENT:
        lost = "" if Path(path).parent.is_dir() else f", nor its folder; {_GONE}"
        return FileAccessError(f"{path}: no such file{lost}")
    if code in ADVICE:
        return FileAccessError(f"{path}: {what} ({os.strerror(code)}); {ADVICE[code]}")
    return None


@contextmanager
def reading_file(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals while `path` is read into a `FileAccessError`."""
    with _access(path, "could not be read"):
        yield


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals while `path` is written into a `FileAccessError`."""
    with _access(path, "could not be written"):
        yield


@contextmanager
def _access(path: Path | str, what: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError) as error:
        if refused := refusal(path, error, what):
            raise refused from None
        raise
