"""Pictures to segment: found by folders, patterns and names, and read."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from getam_core.data.check import colour_problem, image_problem
from getam_core.data.images import SUFFIXES, read_image
from getam_core.errors import InputError

WRITTEN = ("masks", "overlays", "segment.csv", "segment.json")  # by this command


@dataclass(frozen=True)
class Picture:
    """A picture, and the name of its results."""

    path: Path  # as it was given or found
    name: str  # a path below the folder of the results, without suffix

    @property
    def absolute(self) -> str:
        """The path from the root, without `..`; links are not resolved."""
        return _absolute(self.path)


def find_pictures(arguments: Iterable[str | Path], results: Path) -> list[Picture]:
    """Return the pictures that files, folders and patterns name, each once.

    Folders are searched at any depth, by suffix; hidden files are left out. So is what this command
    wrote into `results`, however its path is spelled.

    Raises
    ------
    InputError
        A name is not a file, or a folder or pattern has no picture.
    """
    found: dict[str, Path] = {}
    roots = []
    written = {results.resolve() / part for part in WRITTEN}
    for argument in map(str, arguments):
        paths = [path for path in _listed(argument) if written.isdisjoint(_with_parents(path))]
        if not paths:
            raise InputError(f"{argument}: {_nothing(argument)}")
        roots.append(_root(argument, paths))
        for path in paths:
            found.setdefault(_absolute(path), path)
    names = _names(list(found), os.path.commonpath(roots))
    return [Picture(path, name) for path, name in zip(found.values(), names, strict=True)]


def _listed(argument: str) -> list[Path]:
    """Return the pictures that an argument names."""
    path = Path(argument)
    if path.is_dir():
        return sorted(_pictures_below(path))
    if path.exists():
        return [path]
    if glob.has_magic(argument):
        # Path.glob takes no absolute pattern.
        matches = sorted(map(Path, glob.glob(argument, recursive=True)))  # noqa: PTH207
        return [match for match in matches if match.is_file()]
    raise InputError(f"{path}: no such file or folder")


def _with_parents(path: Path) -> tuple[Path, ...]:
    path = path.resolve()
    return path, *path.parents


def _nothing(argument: str) -> str:
    """Say why an argument names no picture."""
    path = Path(argument)
    if path.is_dir():
        return f"contains no pictures ({', '.join(SUFFIXES)})"
    return "a result in the folder of -o" if path.exists() else "no file matches this pattern"


def _root(argument: str, paths: Sequence[Path]) -> str:
    """Return the absolute path of the folder to which names are relative."""
    path = Path(argument)
    if path.is_dir():
        return _absolute(path)
    return os.path.commonpath([_absolute(path.parent) for path in paths])


def _pictures_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        inner = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in inner)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not hidden:
            yield path


def _absolute(path: Path) -> str:
    """Return an absolute path without `..`; links are not resolved."""
    return os.path.normpath(path.absolute())


def _names(paths: Sequence[str], root: str) -> list[str]:
    """Name pictures by their paths below `root`; suffixes stay if names would be equal."""
    whole = [Path(path).relative_to(root).as_posix() for path in paths]
    short = [Path(name).with_suffix("").as_posix() for name in whole]
    count = Counter(short)
    names = [a if count[a] == 1 else b for a, b in zip(short, whole, strict=True)]
    return names if len(set(names)) == len(names) else whole


def as_pixels(picture: np.ndarray | Image.Image | Path | str) -> np.ndarray:
    """Return a picture as (H, W, 3) uint8 RGB, upright.

    Raises
    ------
    InputError
        A file that cannot be read; a file or PIL image that has no single meaning in RGB (see
        `image_problem`); an array of another form.
    """
    if isinstance(picture, str | Path):
        return _read(Path(picture))
    if isinstance(picture, Image.Image):
        if problem := colour_problem(picture):
            raise InputError(f"a PIL image of mode {picture.mode}: {problem}")
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise InputError(
            f"an array of {picture.dtype} {picture.shape}: expected (H, W, 3), uint8 RGB, 0..255"
        )
    return np.ascontiguousarray(picture)


def _read(path: Path) -> np.ndarray:
    with _any_size():
        problem = image_problem(path)
    if problem is not None:
        raise InputError(f"{path}: {problem}")
    return read_image(path)


@contextmanager
def _any_size() -> Iterator[None]:
    """Lift Pillow's limit of 179 million pixels: the user has named the file."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
