"""Write arrays of a set of images into one HDF5 file, whole or not at all."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

import getam_core
from getam_core.errors import InputError
from getam_core.file_access import writing
from getam_core.files import atomic_path
from getam_core.stores.hdf5 import abandon, create_hdf5
from getam_core.stores.layout import CHECKSUM, KINDS, SCHEMA, checksum


class StoreWriter:
    """Write a store image by image; `path` appears when the `with` block ends without exception.

    Parameters
    ----------
    path : Path
        The file to write; an existing one is replaced at the end.
    kind : {"saliency", "maps", "labels", "predictions"}
        What the arrays are: maps are (K, h, w) float16, the others (H, W) uint8.
    classes : sequence of str
        Names of the C foreground classes, in the order of their class_ids 1..C.
    settings : mapping
        The run's settings, JSON values only.
    """

    def __init__(
        self, path: Path | str, kind: str, classes: Sequence[str], settings: Mapping[str, Any]
    ) -> None:
        assert kind in KINDS, kind
        self.path, self.kind = Path(path), kind
        texts = {
            "kind": kind,
            "classes": json.dumps(list(classes)),
            "settings": json.dumps(settings),
            "version": getam_core.__version__,
        }
        # Strings of fixed length: HDF5 stores those of variable length without a checksum, and can
        # hang on a damaged byte there. JSON is ASCII as written here.
        self._contents = hashlib.sha256()
        self._header = {name: np.bytes_(text) for name, text in texts.items()}

    def __enter__(self) -> Self:
        with writing(self.path), ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            file = stack.enter_context(create_hdf5(temporary))
            file.attrs.update(self._header | {"schema": SCHEMA})
            self._images = file.create_group("images")
            stack.push(self._complete)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        with writing(self.path):
            self._stack.__exit__(*exception)

    def _complete(self, exception_type: type | None, *_: Any) -> None:
        """Mark the file as complete: without that it counts as unfinished, whatever its name."""
        file = self._images.file
        with ExitStack() as failing:
            failing.callback(abandon, file)
            if exception_type is None:
                contents = np.bytes_(self._contents.hexdigest())
                seal = {"count": len(self._images), "contents": contents, "complete": True}
                file.attrs.update(seal)
                file.flush()  # here, where a refusal of the disk can still be reported in a line
                failing.pop_all()

    def write(self, image_id: str, array: np.ndarray, **attributes: Any) -> None:
        """Add one image's array.

        Parameters
        ----------
        image_id : str
            Unique in the file, without "/".
        array : ndarray or CPU tensor
            Of the kind's data type and number of axes.
        **attributes
            Numbers or numeric arrays stored, and checked, with the image.

        Raises
        ------
        FileAccessError
            The disk is full, or the operating system refuses for another reason.
        InputError
            The image_id is not unique, or has a "/".
        """
        array = np.ascontiguousarray(array)
        dtype, axes = KINDS[self.kind]
        assert (array.dtype, array.ndim) == (dtype, axes), (array.dtype, array.shape, self.kind)
        if "/" in image_id or image_id in self._images:
            raise InputError(f"{self.path}: image_id {image_id!r} must be unique and without '/'")
        with writing(self.path):
            self._write(image_id, array, attributes)

    def _write(self, image_id: str, array: np.ndarray, attributes: Mapping[str, Any]) -> None:
        values = {name: np.asarray(value) for name, value in attributes.items()}
        # Maps are too small to be worth a filter, and HDF5 cannot chunk an empty array.
        packed = array.dtype == "uint8" and array.size > 0
        filters = {"chunks": array.shape, "compression": "gzip", "compression_opts": 1}
        dataset = self._images.create_dataset(image_id, data=array, **(filters if packed else {}))
        crc = checksum(array, values)
        dataset.attrs.update(values | {CHECKSUM: np.uint32(crc)})
        dataset.flush()  # else h5py prints, and then ignores, what the disk refuses
        self._contents.update(f"{image_id} {crc}\n".encode())
