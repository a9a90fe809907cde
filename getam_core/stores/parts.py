"""Stores made in parts: a long export resumes where it was killed, and shards become one file.

Every part is itself a whole store, so a file under its name is complete and checked.
"""

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from getam_core.errors import InputError
from getam_core.once import alone
from getam_core.stores.reader import Store, open_store, verify
from getam_core.stores.writer import StoreWriter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Output:
    """A store to be made; the fields are arguments of `StoreWriter`."""

    path: Path
    kind: str
    classes: Sequence[str]
    settings: Mapping[str, Any]

    def writer(self, path: Path) -> StoreWriter:
        """Return what writes a part of it."""
        return StoreWriter(path, self.kind, self.classes, self.settings)

    def stands(self, path: Path, ids: Sequence[str]) -> bool:
        """Whether this very part was completed by an earlier process.

        Raises
        ------
        FileAccessError
            It exists but cannot be read: it may be whole, and making it again may take hours.
        """
        if not path.exists() or verify(path):
            return False
        store = open_store(path)
        held = (store.kind, store.classes, store.settings, store.ids())
        return held == (self.kind, tuple(self.classes), dict(self.settings), sorted(ids))


def write_in_parts(
    path: Path | str,
    kind: str,
    classes: Sequence[str],
    settings: Mapping[str, Any],
    ids: Sequence[str],
    write: Callable[[StoreWriter, slice], None],
    *,
    state: Path | str,
    part: int = 64,
) -> None:
    """Write a store of many images so that a killed process loses at most one part of it.

    The file is bit-identical whether the writing was interrupted or not.

    Parameters
    ----------
    path, kind, classes, settings
        As in `StoreWriter`. Parts of other settings or images are made again.
    ids : sequence of str
        The image_ids of the file, in order.
    write : callable
        `write(writer, chosen)` writes the images `ids[chosen]`; they must not depend on others.
    state : Path
        Folder of the parts; removed once `path` is written.
    part : int
        Images per part.

    Raises
    ------
    InputError
        Another process works in `state`.
    """
    output = Output(Path(path), kind, classes, settings)
    folders = {Path(state): output}
    with _kept(Path(state)):
        _write_parts(folders, ids, lambda writers, chosen: write(writers[0], chosen), part)


def write_together_in_parts(
    outputs: Sequence[Output],
    ids: Sequence[str],
    write: Callable[[Sequence[StoreWriter], slice], None],
    *,
    state: Path | str,
    part: int = 64,
) -> None:
    """Write several stores of the same images, with different file names, in one pass.

    `write(writers, chosen)` gets a writer for each of `outputs`; the rest is as in
    `write_in_parts`.
    """
    folders = {Path(state) / output.path.stem: output for output in outputs}
    with _kept(Path(state)):
        _write_parts(folders, ids, write, part)


@contextmanager
def _kept(state: Path) -> Iterator[None]:
    """Keep other processes out of `state` during the block; remove it when the block succeeds."""
    lock = state.with_name(f"{state.name}.lock")
    with alone(lock):
        yield
        shutil.rmtree(state, ignore_errors=True)  # a file that is being read may stay
        lock.unlink(missing_ok=True)


def _write_parts(
    folders: Mapping[Path, Output],
    ids: Sequence[str],
    write: Callable[[Sequence[StoreWriter], slice], None],
    part: int,
) -> None:
    """Make the parts of every output in its folder, and merge them into the outputs."""
    starts = range(0, len(ids), part)
    for start in starts:
        chosen = slice(start, start + part)
        files = {_part(folder, start): output for folder, output in folders.items()}
        if all(output.stands(file, ids[chosen]) for file, output in files.items()):
            log.info("resumed: %s is complete", ", ".join(map(str, files)))
            continue
        with ExitStack() as opened:
            writers = [opened.enter_context(o.writer(file)) for file, o in files.items()]
            write(writers, chosen)
    for folder, output in folders.items():
        merge_stores(output.path, [_part(folder, start) for start in starts], ids)


def _part(folder: Path, start: int) -> Path:
    return folder / f"{start:08d}.h5"


def merge_stores(path: Path | str, parts: Sequence[Path | str], ids: Sequence[str]) -> None:
    """Copy stores into one, in the order of `ids`; every image is checked as it is copied.

    Parameters
    ----------
    path : Path
        The file to write.
    parts : sequence of Path
        At least one store. The first holds the first of `ids`, the next those that follow.
    ids : sequence of str
        All image_ids.

    Raises
    ------
    InputError
        A part is damaged, of another kind, of other classes or settings, or does not hold exactly
        the images that are next.
    """
    stores = [open_store(part) for part in parts]
    first = stores[0]
    start = 0
    with StoreWriter(path, first.kind, first.classes, first.settings) as writer:
        for store in stores:
            chosen = ids[start : start + len(store)]
            _check_part(store, first, chosen)
            for image_id in chosen:
                array, attributes = store.read(image_id)
                writer.write(image_id, array, **attributes)
            start += len(store)
            store.close()
        if start != len(ids):
            raise InputError(
                f"{path}: its parts hold only {start} of {len(ids)} images; the next would be"
                f" {ids[start]!r}"
            )


def _check_part(store: Store, first: Store, ids: Sequence[str]) -> None:
    for name in ("kind", "classes", "settings"):
        if getattr(store, name) != getattr(first, name):
            raise InputError(f"{store.path}: not the same {name} as {first.path}; make both again")
    unexpected = sorted(set(store.ids()).symmetric_difference(ids))
    if unexpected:
        raise InputError(
            f"{store.path}: not the expected images, for example {unexpected[0]!r}; make it again"
        )
