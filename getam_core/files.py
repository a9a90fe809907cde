"""Files that are either whole or absent."""

import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from getam_core.errors import InputError

WEEK = 7 * 24 * 3600  # seconds


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block succeeds.

    On an exception (Ctrl-C included) the temporary file is removed and whatever was at `path`
    before stays as it was. The suffix is kept, for writers that choose a format by it. The content
    is synced to disk before the renaming. Files that a killed process left are removed by the next
    writer. The temporary name is `.<stem>.<machine>-<process>.partial<suffix>`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_remains(path)
    writer = f"{_machine()}-{os.getpid()}"
    temporary = path.with_name(f".{path.stem}.{writer}.partial{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_remains(path: Path) -> None:
    """Remove what killed processes left beside `path`.

    The disk may be shared, and whether a process on another machine still runs cannot be seen from
    here: its file is left alone until nothing has been written to it for a week.
    """
    pattern = re.compile(rf"\.{re.escape(path.stem)}\.([^.]+)\.partial{re.escape(path.suffix)}")
    for file in _remains(path.parent.absolute()):
        named = pattern.fullmatch(file.name)
        if named and _abandoned(file, named[1]):
            file.unlink(missing_ok=True)


def _abandoned(file: Path, writer: str) -> bool:
    machine, _, process = writer.rpartition("-")
    if machine == _machine():
        return not _runs(int(process))
    try:
        return time.time() - file.stat().st_mtime > WEEK
    except FileNotFoundError:  # its writer has finished meanwhile
        return False


@cache
def _machine() -> str:
    """Identify the machine, or the container on it, that numbers processes; 8 hexadecimal digits.

    It is a hash, since host names may be too long for a file name.
    """
    numbers = Path("/proc/self/ns/pid")  # on Linux
    namespace = numbers.stat().st_ino if numbers.exists() else 0
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]


@cache
def _remains(folder: Path) -> list[Path]:
    """List a folder's remains once: a search per file written would take quadratic time."""
    return list(folder.glob(".*.partial*"))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process
        pass
    return True


def digest(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused, since JSON has none."""
    text = json.dumps(value, indent=2, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; `InputError` names the file if it is missing or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
