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
    """Give a temporary name beside `path`, and rename it to `path` when the block ends well.

    On an exception (Ctrl-C included) the temporary file is removed and whatever stood at `path`
    before stays as it was. The suffix is kept, for writers that choose a format by it. The content
    is on the disk before the name is; what a killed process left goes when the next one writes.
    The temporary name is `.<stem>.<machine>-<process>.partial<suffix>`.
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

    Whether a process of another machine still runs cannot be seen from here, and the disk may be
    shared: its file is left alone until nothing was written to it for a week.
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
    except FileNotFoundError:  # its writer has ended well meanwhile
        return False


@cache
def _machine() -> str:
    """Name what gives out process numbers: a machine, or a container on it; 8 hexadecimal digits.

    Host names may be longer than a file name has room for.
    """
    numbers = Path("/proc/self/ns/pid")  # of Linux
    namespace = numbers.stat().st_ino if numbers.exists() else 0
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]


@cache
def _remains(folder: Path) -> list[Path]:
    """Look through a folder once: writing its n files would else take n squared."""
    return list(folder.glob(".*.partial*"))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return True


def digest(path: Path | str) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused, since JSON has none."""
    text = json.dumps(value, indent=2, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; `InputError` names the file when it is missing or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
