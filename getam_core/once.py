"""A long stage runs once: in one process at a time, and not again when it has finished.

Snakemake deletes the outputs of a job that it lost track of, such as one that kept running when
Snakemake was killed. Finished results are therefore kept under a second name, outside the outputs.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import getam_core
from getam_core.errors import InputError
from getam_core.files import atomic_path, write_json

log = logging.getLogger(__name__)
IDENTITY = "identity.json"


class Finished:
    """Results of a stage, kept in `folder` until one of another identity finishes there.

    A stage first writes beside `folder` (`place`), then hands over its complete files
    (`hand_over`): nothing is lost, whenever Snakemake deletes the outputs. The outputs are hard
    links, which need no space, or copies on a file system without links.

    Parameters
    ----------
    identity : mapping
        Plain values; results of other settings, inputs or versions are not reused.
    *outputs : Path
        The files of the stage, with different names.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], *outputs: Path):
        self.folder, self.outputs = folder, outputs
        self.identity = json.loads(json.dumps({**identity, "version": getam_core.__version__}))

    def restore(self) -> bool:
        """Put the outputs in place if this stage has finished before; return whether it has."""
        if self._found() != self.identity:
            return False
        self._put_in_place()
        log.info(
            "already finished: outputs restored from %s; delete it to run the stage again",
            self.folder,
        )
        return True

    def place(self, output: Path) -> Path:
        """Return where the stage writes an output."""
        return self.folder.with_suffix(".made") / output.name

    def hand_over(self) -> None:
        """Keep the files just written, instead of earlier ones, and put the outputs in place."""
        self.drop()
        self.folder.mkdir(parents=True, exist_ok=True)
        for output in self.outputs:
            self.place(output).replace(self._kept(output))
        write_json(self.folder / IDENTITY, self.identity)  # last: without it nothing counts as kept
        shutil.rmtree(self.folder.with_suffix(".made"), ignore_errors=True)
        self._put_in_place()

    def _put_in_place(self) -> None:
        for output in self.outputs:
            _link(self._kept(output), output)
            os.utime(output)  # made now, as far as other stages are concerned

    def drop(self) -> None:
        """Forget what has finished; without the identity, nothing is reused."""
        (self.folder / IDENTITY).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)  # a file that is being read may stay

    def _found(self) -> Any:
        try:
            found = json.loads((self.folder / IDENTITY).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return found if all(self._kept(output).exists() for output in self.outputs) else None

    def _kept(self, output: Path) -> Path:
        return self.folder / output.name


def stamp(files: Iterable[Path]) -> str:
    """Return a checksum of names, sizes and modification times, to tell whether files changed."""
    states = ((file, file.stat()) for file in files)
    lines = [f"{file.name} {state.st_size} {state.st_mtime_ns}" for file, state in states]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, atomically: nobody sees a partial copy."""
    with atomic_path(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # a file system without links
            shutil.copy2(source, temporary)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the exclusive lock `path` during the block; it ends with the process at the latest.

    Raises
    ------
    InputError
        Another process holds it, on this machine or, if the file system shares locks, on another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                file.seek(0)
                raise InputError(
                    f"{path}: this stage is running already ({file.read().strip() or 'elsewhere'});"
                    " wait until it ends, or stop it, then run the command again"
                ) from None
            log.warning(
                "%s: cannot be locked (%s); make sure that this stage is not run twice at once",
                path,
                error,
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
