"""Read a store: its header is checked when it is opened, each image when it is read."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tqdm import tqdm

from getam_core.errors import InputError
from getam_core.file_access import FileAccessError
from getam_core.files import digest
from getam_core.stores.hdf5 import open_hdf5, reading
from getam_core.stores.layout import CHECKSUM, SCHEMA, checksum


class Store:
    """A complete store, read image by image: `store[image_id]` checks and returns one array.

    The handle is opened at the first read of each process, so a store may be passed to workers
    however they are started.

    Attributes
    ----------
    path : Path
    kind : str
    classes : tuple of str
        Names of the foreground classes.
    settings : dict
        Settings of the run that wrote the file.
    contents : str
        SHA-256 of the images' names and checksums, in the order of writing, so that it does not
        depend on who wrote them; of the whole file if an earlier version wrote it.
    """

    def __init__(self, path: Path | str, kind: str | None = None) -> None:
        self.path = Path(path)
        self._handle: Any = None  # an h5py.File, after the first read
        self._process: int | None = None
        with open_hdf5(self.path) as file, reading(self.path, "its head"):
            _check_header(self.path, file, kind)
            self.kind: str = file.attrs["kind"].decode()
            self.classes: tuple[str, ...] = tuple(json.loads(file.attrs["classes"]))
            self.settings: dict[str, Any] = json.loads(file.attrs["settings"])
            self._count = int(file.attrs["count"])
            contents = file.attrs.get("contents")
        self.contents: str = digest(self.path) if contents is None else contents.decode()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_handle": None, "_process": None}

    def _images(self) -> h5py.Group:
        if self._process != os.getpid():  # first read, or a fork inherited the parent's handle
            self._handle, self._process = open_hdf5(self.path), os.getpid()
        with reading(self.path, "its list of images"):
            return self._handle["images"]

    def __len__(self) -> int:
        return self._count

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._images()

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids())

    def ids(self) -> list[str]:
        """Return the image_ids, sorted."""
        images = self._images()
        with reading(self.path, "its list of images"):
            return sorted(images)

    def __getitem__(self, image_id: str) -> np.ndarray:
        return self.read(image_id)[0]

    def attributes(self, image_id: str) -> dict[str, Any]:
        """Return the attributes that were written with the image, without the checksum."""
        return self.read(image_id)[1]

    def read(self, image_id: str) -> tuple[np.ndarray, dict[str, Any]]:
        """Return one image's array and attributes.

        Raises
        ------
        FileAccessError
            The operating system refuses to read it.
        InputError
            The image is not in the file, or its bytes are not those that were written.
        """
        images = self._images()
        with reading(self.path, f"image {image_id!r}"):
            if image_id not in images:
                raise InputError(f"{self.path}: holds no image {image_id!r}; make the file again")
            dataset = images[image_id]
            array, attributes = dataset[()], dict(dataset.attrs)
            if attributes.pop(CHECKSUM) != checksum(array, attributes):
                raise ValueError("its bytes are not those that were written")
        return array, attributes

    def close(self) -> None:
        """Close this process's handle; the next read opens it again."""
        if self._process == os.getpid():
            self._handle.close()
        self._handle = self._process = None


def open_store(path: Path | str, kind: str | None = None) -> Store:
    """Open a complete store for reading.

    Parameters
    ----------
    path : Path
    kind : str, optional
        The kind that the caller needs; None takes any.

    Raises
    ------
    FileAccessError
        The file is missing, or the operating system refuses it; it may be whole.
    InputError
        The file is truncated, not HDF5, unfinished, of another schema or another kind.
    """
    return Store(path, kind)


def verify(path: Path | str, *, progress: bool = False) -> list[str]:
    """Read a whole store; return every problem as a line, none for a whole file.

    Parameters
    ----------
    path : Path
    progress : bool
        Show a progress bar on stderr.

    Raises
    ------
    FileAccessError
        The file could not be read to its end, so nothing is known about it.
    """
    try:
        store = open_store(path)
        ids = store.ids()
    except FileAccessError:
        raise
    except InputError as error:
        return [str(error)]
    problems = []
    if len(ids) != len(store):
        problems.append(f"{path}: holds {len(ids)} images, {len(store)} were written")
    for image_id in tqdm(ids, desc="verify", unit="image", disable=not progress):
        try:
            store.read(image_id)
        except FileAccessError:
            raise
        except InputError as error:
            problems.append(str(error))
    store.close()
    return problems


def _check_header(path: Path, file: h5py.File, kind: str | None) -> None:
    found = file.attrs
    if "schema" not in found or "kind" not in found:
        raise InputError(f"{path}: an HDF5 file, but not one of this project's stores")
    if found["schema"] != SCHEMA:
        raise InputError(
            f"{path}: schema {found['schema']}, this version reads {SCHEMA}; make the file again"
        )
    if not found.get("complete", False):
        raise InputError(f"{path}: was never completed; delete it and make it again")
    if kind is not None and found["kind"].decode() != kind:
        holds = found["kind"].decode()
        raise InputError(f"{path}: holds {holds}, expected {kind}; give the {kind} file")
