"""One folder a class (torchvision calls it ImageFolder) to a listing."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from getam_core.data.images import SUFFIXES
from getam_core.data.index import Entry
from getam_core.data.label_file import LABELS
from getam_core.data.listing import Listing, unknown_class
from getam_core.errors import InputError

BACKGROUND_FOLDER = "background"  # its images show none of the classes
NO_CLASSES = ("masks",)
EXPECTED = (
    "expected images/ with labels.csv (image,classes), or one folder of images for each class"
)


@dataclass(frozen=True)
class _Found:
    """An image file; `name` is its path below the data set, without suffix."""

    path: Path
    name: tuple[str, ...]
    label: str
    split: str | None


def list_class_folders(
    folder: Path, splits: Mapping[str, str], classes: Sequence[str] | None
) -> tuple[Listing, bool]:
    """List the images of `folder`/<class>/, and say whether they came in folders of splits.

    Class folders may also lie below `images/`, or below one folder a split. Images of one name in
    several class folders are one image that shows all these classes, if they are the same file byte
    for byte; otherwise their folders become part of their ids. Images of the folder `background`
    show none of the classes.

    Raises
    ------
    InputError
        There is no folder of a class.
    """
    listing = Listing(folder)
    base = image_folder(folder)
    of_splits = {split: base / name for split, name in splits.items()}
    has_splits = all(_subfolders(path) for path in of_splits.values())
    found: list[_Found] = []
    for split, root in of_splits.items() if has_splits else [(None, base)]:
        for label in _subfolders(root):
            _check_class(label, classes, listing)
            found += _images(label, base, split, listing)
    if not found:
        _check_level(folder, base)
        if not listing.problems:
            raise InputError(f"data root {folder}: {EXPECTED}; it has {_contents(folder)}")
    by_name: defaultdict[str, list[_Found]] = defaultdict(list)
    for image in found:
        by_name[image.path.stem].append(image)
    for stem in sorted(by_name):
        listing.entries += _entries(stem, by_name[stem], classes, listing)
    beside = sum(path.suffix.lower() in SUFFIXES for path in base.iterdir())
    if beside:
        listing.warnings.append(f"left out, images beside the class folders: {beside}")
    others = {path.name for path in _subfolders(base)} - {path.name for path in of_splits.values()}
    if has_splits and others:
        listing.warnings.append(f"left out, beside the splits: {', '.join(sorted(others))}")
    return listing, has_splits


def image_folder(folder: Path) -> Path:
    """Return the folder `images/` of a data set, `Images/` too; the data set itself without one."""
    there = sorted(path for path in folder.iterdir() if path.name.lower() == "images")
    return next((path for path in reversed(there) if path.is_dir()), folder)


def _check_level(folder: Path, base: Path) -> None:
    """Raise `InputError` where a table lies one folder further down."""
    for inner in (base, *_subfolders(base)):
        if (inner / LABELS).is_file():
            raise InputError(f"data root {folder}: {LABELS} is one folder down: give {inner}")


def _contents(folder: Path) -> str:
    """Name the first few things in a folder: what was meant is often among them."""
    names = sorted(f"{p.name}/" if p.is_dir() else p.name for p in folder.iterdir())
    return ", ".join(names[:4]) + (f", ... ({len(names)})" if names[4:] else "") or "nothing in it"


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    there = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path for path in there if path.name not in NO_CLASSES and path.name[0] != "."]


def _check_class(label: Path, classes: Sequence[str] | None, listing: Listing) -> None:
    name = label.name
    if classes is not None and name not in (*classes, BACKGROUND_FOLDER):
        listing.problems.append(f"{name}/: {unknown_class(name, classes)}")


def _images(label: Path, base: Path, split: str | None, listing: Listing) -> list[_Found]:
    """Return the images of one class folder; what else lies there is counted in a warning."""
    paths = [path for path in sorted(label.iterdir()) if path.name[0] != "."]
    images = [path for path in paths if path.suffix.lower() in SUFFIXES]
    where = label.relative_to(listing.folder)
    if not images:
        listing.problems.append(f"{where}/: no image in it ({', '.join(SUFFIXES)})")
    if others := [path.name for path in paths if path not in set(images)]:
        shown = ", ".join(others[:3])
        listing.warnings.append(f"left out, no images in {where}/: {len(others)} ({shown})")
    name = label.name
    return [
        _Found(path, path.relative_to(base).with_suffix("").parts, name, split) for path in images
    ]


def _entries(
    stem: str, images: Sequence[_Found], classes: Sequence[str] | None, listing: Listing
) -> list[Entry]:
    """Make one entry of each different file that bears the name `stem`."""
    same: defaultdict[object, list[_Found]] = defaultdict(list)
    sizes = [_size(image.path) for image in images]
    for image, size in zip(images, sizes, strict=True):
        same[_content(image.path) if sizes.count(size) > 1 else size].append(image)
    entries = []
    for copies in same.values():
        image_id = stem if len(same) == 1 else "_".join(copies[0].name)
        if len({copy.split for copy in copies}) > 1:
            listing.problems.append(f"{image_id}: the same image is in train and in val")
        labels = {copy.label for copy in copies} - {BACKGROUND_FOLDER}
        order = sorted(labels) if classes is None else classes
        names = tuple(name for name in order if name in labels)
        entries.append(Entry(image_id, copies[0].path, copies[0].split or "train", names))
    return entries


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # the check of the images says why
        return str(path)
