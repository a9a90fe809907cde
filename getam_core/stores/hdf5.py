"""HDF5 files on any disk: read without a lock, written without one if the disk has none.

A store is never changed once it has its name, so readers need no lock. NFS and Lustre often
offer none.
"""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import h5py

from getam_core.errors import InputError
from getam_core.file_access import FileAccessError, error_code, refusal

log = logging.getLogger(__name__)

# What h5py raises when HDF5 meets damaged bytes.
DAMAGE = (OSError, RuntimeError, KeyError, ValueError)
HELD = (errno.EAGAIN, errno.EACCES)  # codes of a lock that another process holds


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises
    ------
    FileAccessError
        The file is missing, or the operating system refuses it.
    InputError
        The file is truncated or not HDF5.
    """
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if refused := refusal(path, error, "could not be read"):
            raise refused from None
        if "already open for write" in str(error):
            raise FileAccessError(
                f"{path}: another program has it open for writing, or was killed while it had;"
                " close it there (h5clear -s FILE clears the mark of a killed program)"
            ) from None
        if path.suffix != ".h5":  # nobody should delete what was named by mistake
            raise InputError(f"{path}: not a store; stores are HDF5 files, named .h5") from None
        reason = "truncated" if "truncated" in str(error) else f"not a readable HDF5 file ({error})"
        raise InputError(f"{path}: {reason}; delete it and make it again") from None


def create_hdf5(path: Path) -> h5py.File:
    """Create a file for writing; without a lock if the disk has none, but never if one is held."""
    try:
        return h5py.File(path, "w", libver="latest")
    except OSError as error:
        if "unable to lock file" not in str(error) or error_code(error) in HELD:
            raise
        _say_without_lock(path.parent)
        return h5py.File(path, "w", libver="latest", locking=False)


def abandon(file: h5py.File) -> None:
    """Silently close a file that will be removed, even if its disk is full.

    HDF5 would try again to write what the disk refused, and h5py would print a traceback for each
    object. Those bytes go to the null device instead.
    """
    with Path(os.devnull).open("r+b") as nowhere:
        os.dup2(nowhere.fileno(), file.id.get_vfd_handle())
    with suppress(OSError, RuntimeError):  # the null device cannot be truncated
        file.close()


@cache  # one line per folder, however many files it gets
def _say_without_lock(folder: Path) -> None:
    log.warning("%s: the disk does not support locks; HDF5 files are written without", folder)


@contextmanager
def reading(path: Path, part: str) -> Iterator[None]:
    """Turn what h5py raises into an `InputError` that names the part of the file.

    Raises
    ------
    FileAccessError
        The operating system refuses to read it.
    InputError
        Its bytes are damaged.
    """
    try:
        yield
    except InputError:
        raise
    except DAMAGE as error:
        if refused := refusal(path, error, f"{part} could not be read"):
            raise refused from None
        reason = f"{path}: {part} is damaged ({error}); delete the file and make it again"
        raise InputError(reason) from None
