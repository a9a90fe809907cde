"""Download an archive, from where an earlier attempt stopped, check it, and unpack it."""

import fcntl
import hashlib
import logging
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from getam_core.downloads.archives import Archive
from getam_core.errors import InputError, raise_problems

log = logging.getLogger(__name__)

CHUNK = 1 << 20
TIMEOUT = 60  # seconds without a byte
PARTIAL, NOTHING_LEFT = 206, 416  # HTTP


def download(archive: Archive, out: Path) -> None:
    """Download `archive` to `out`, resuming from `out`.part if that exists.

    Raises
    ------
    InputError
        There is no network, or the server refuses: what was downloaded is kept, and the message
        says how to provide the file by hand. Another process downloads it. Or it is not the
        published file: it is then deleted.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")
    with _locked(part):
        have = part.stat().st_size
        if archive.size is None or have != archive.size:
            _load(archive, part, have)
        try:
            check_archive(archive, part)
        except InputError:
            part.unlink()
            raise
        part.replace(out)


@contextmanager
def _locked(part: Path) -> Iterator[None]:
    """Keep other processes out, on other machines too: two that append to one file damage it.

    Some file systems of clusters have no locks; there no process is kept out.
    """
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{part}: another process is downloading it; wait until it ends"
            ) from None
        except OSError as error:
            log.info("%s: cannot be locked (%s)", part, error.strerror)
        yield


def _load(archive: Archive, part: Path, have: int) -> None:
    request = Request(archive.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urlopen(request, timeout=TIMEOUT) as response:
            if have and response.status != PARTIAL:
                log.warning("%s: the server cannot resume; starting again", archive.name)
                have = 0
            _copy(response, part, have, archive.name)
    except HTTPError as error:
        if error.code == NOTHING_LEFT and have:  # it was already whole
            return
        raise InputError(_by_hand(archive, part, f"HTTP {error.code}")) from None
    except (URLError, HTTPException, OSError) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise InputError(_by_hand(archive, part, reason)) from None


def _copy(response: HTTPResponse, part: Path, have: int, name: str) -> None:
    left = response.headers.get("Content-Length")
    total = have + int(left) if left else None
    with (
        part.open("ab" if have else "wb") as file,
        tqdm(total=total, initial=have, desc=name, unit="B", unit_scale=True) as bar,
    ):
        while block := response.read(CHUNK):
            file.write(block)
            bar.update(len(block))
    if total is not None and part.stat().st_size < total:
        raise ConnectionError(f"the connection ended after {part.stat().st_size} of {total} bytes")


def _by_hand(archive: Archive, part: Path, reason: str) -> str:
    return (
        f"{archive.url} could not be downloaded ({reason}). Is there a network? The same command"
        " resumes where it stopped. Or download the file elsewhere, save it as"
        f" {part.with_suffix('')}, and run the same command"
    )


def check_archive(archive: Archive, path: Path) -> None:
    """Raise `InputError` if `path` does not have the published size or digest, as far as known."""
    size, wrong = path.stat().st_size, None
    if archive.size is not None and size != archive.size:
        wrong = f"{size} bytes, expected {archive.size}"
    elif archive.digest is not None:
        algorithm, expected = archive.digest
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        wrong = f"{algorithm} {found}, expected {expected}" if found != expected else None
    if wrong:
        raise InputError(
            f"{path}: {wrong}: not the published file; delete it and download it again"
        )


def unpack(archive: Archive, path: Path, folder: Path) -> None:
    """Unpack `path` below `folder`; files that are already there in full are not written again.

    Raises
    ------
    InputError
        The archive is damaged or not the published one, has a path that leads out of it, or lacks
        files that it should have; or the disk is too small.
    """
    check_archive(archive, path)  # again: a file provided by hand was not checked before
    target = folder / archive.into
    target.mkdir(parents=True, exist_ok=True)
    try:
        _extract(path, target)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and download it again") from None
    raise_problems(
        f"{archive.name} was unpacked, but",
        [
            f"{folder / name}: {found} files, expected {count}"
            for name, count in archive.holds.items()
            if (found := _files(folder / name)) < count
        ],
    )


def _extract(path: Path, target: Path) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as file:
            infos = [(m, m.filename, m.file_size, m.is_dir()) for m in file.infolist()]
            _extract_missing(path, target, infos, lambda member: file.extract(member, target))
        return
    with tarfile.open(path) as tar:
        members = [(m, m.name, m.size, not m.isfile()) for m in tar.getmembers()]
        _extract_missing(
            path, target, members, lambda member: tar.extract(member, target, filter="data")
        )


def _extract_missing(
    path: Path,
    target: Path,
    members: Iterable[tuple[Any, str, int, bool]],
    extract: Callable[[Any], object],
) -> None:
    """Extract members (itself, name, bytes, whether it is no file) that are not there in full."""
    missing = []
    for member, name, size, no_file in members:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(
                f"{path}: {name!r} leads outside the folder; it is not the published file"
            )
        there = target / name
        if not (no_file or (there.is_file() and there.stat().st_size == size)):
            missing.append((member, size))
    needed, free = sum(size for _, size in missing), shutil.disk_usage(target).free
    if needed > free:
        raise InputError(
            f"{target}: {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free"
        )
    for member, _ in tqdm(missing, desc=f"unpack {path.name}", unit="file"):
        extract(member)


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.iterdir()) if folder.is_dir() else 0
