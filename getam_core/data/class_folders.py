"""One folder per class (torchvision calls it ImageFolder) to a listing."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from getam_core.data.images import SUFFIXES
from getam_core.data.index import Entry
from getam_core.data.label_table import LABELS
from getam_core.data.listing import Listing
from getam_core.data.names import (
    composed,
    image_id_of,
    images_below,
    is_image,
    is_visible,
    visible_folders,
)
from getam_core.errors import InputError

INNER = ("images", "image", "imgs", "img")  # folders in a class folder whose names say nothing
EXPECTED = (
    "expected images/ with labels.csv (image,classes), or one folder of images for each class"
)


@dataclass(frozen=True)
class _Found:
    """An image file; `name` is its path below the data set."""

    path: Path
    name: Path
    label: str
    split: str | None


def list_class_folders(listing: Listing, base: Path, splits: Mapping[str, Path]) -> None:
    """Add the images of `base`/<class>/, or of <split>/<class>/ where there are `splits`.

    Files with the same name in several class folders are one image that shows all these classes, if
    they are bit-identical; otherwise their folders become part of their ids. Images in a folder
    whose name means no class ("background") show none of the classes.

    Raises
    ------
    InputError
        There is no class folder, or one folder around them all.
    """
    found: list[_Found] = []
    for split, root in splits.items() if splits else [(None, base)]:
        _check_level(listing.folder, root)
        for label in visible_folders(root):
            found += _images(label, base, split, listing)
    if not found and not listing.problems:
        folder = listing.folder
        raise InputError(f"data root {folder}: {EXPECTED}; it has {_contents(folder)}")
    by_name: defaultdict[str, list[_Found]] = defaultdict(list)
    for image in found:
        by_name[composed(image.path.stem)].append(image)
    for stem in sorted(by_name):
        listing.entries += _entries(stem, by_name[stem], listing)
    if beside := sum(is_image(path) for path in base.iterdir()):
        listing.warnings.append(f"left out, images beside the class folders: {beside}")
    others = {path.name for path in visible_folders(base)} - {p.name for p in splits.values()}
    if splits and others:
        listing.warnings.append(f"left out, beside the splits: {', '.join(sorted(others))}")


def image_folder(folder: Path) -> Path:
    """Return the folder `images/` or `Images/` of a data set, or else the data set itself."""
    there = sorted(path for path in folder.iterdir() if path.name.lower() == "images")
    return next((path for path in reversed(there) if path.is_dir()), folder)


def _check_level(folder: Path, root: Path) -> None:
    """Raise `InputError` if the table, or all class folders, are one folder further down."""
    there = visible_folders(root)
    for inner in (root, *there):
        if (inner / LABELS).is_file():
            raise InputError(f"data root {folder}: {LABELS} is one folder down: give {inner}")
    if len(there) == 1 and not _direct(there[0]) and len(_with_images(there[0])) > 1:
        raise InputError(f"data root {folder}: is one folder too high: give {there[0]}")


def _contents(folder: Path) -> str:
    """List the first few entries of a folder, with a hint on a table of another name."""
    names = sorted(f"{p.name}/" if p.is_dir() else p.name for p in folder.iterdir())
    shown = ", ".join(names[:4]) + (f", ... ({len(names)})" if names[4:] else "")
    tables = [name for name in names if name.lower().endswith((".csv", ".tsv"))]
    named = f"; did you mean data.table: {tables[0]}?" if tables else ""
    return (shown or "nothing in it") + named


def _direct(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if is_image(path)]


def _with_images(folder: Path) -> list[str]:
    return [path.name for path in visible_folders(folder) if images_below(path)]


def _images(label: Path, base: Path, split: str | None, listing: Listing) -> list[_Found]:
    """Return the images of one class folder; a warning counts the other files there."""
    where = label.relative_to(listing.folder)
    files = [path for path in sorted(label.iterdir()) if is_visible(path.name)]
    if not files:
        listing.warnings.append(f"left out, an empty folder: {where}/")
        return []
    images, inner = images_below(label), _with_images(label)
    if not images:
        listing.problems.append(f"{where}/: contains no images ({', '.join(SUFFIXES)})")
    elif not _direct(label) and not _one_class(label.name, inner, listing):
        listing.problems.append(
            f"{where}/ has no images, but folders with images ({', '.join(inner[:3])}): which are"
            " the classes? Name the classes in data.classes, or give the folder that holds the"
            " class folders"
        )
        return []
    if others := [path.name for path in files if path.is_file() and not is_image(path)]:
        shown = f"{len(others)} ({', '.join(others[:3])})"
        listing.warnings.append(f"left out, files in {where}/ that are not images: {shown}")
    listing.shown([label.name], f"{where}/")
    return [_Found(path, path.relative_to(base), label.name, split) for path in images]


def _one_class(label: str, inner: Sequence[str], listing: Listing) -> bool:
    """Whether a folder of folders is one class: their names say nothing, or its name is known."""
    plain = {name.casefold() for name in inner}
    return plain <= {*INNER, label.casefold()} or label in (listing.vocabulary.classes or ())


def _entries(stem: str, images: Sequence[_Found], listing: Listing) -> list[Entry]:
    """Make one entry for each distinct file with the name `stem`."""
    same: defaultdict[object, list[_Found]] = defaultdict(list)
    sizes = [_size(image.path) for image in images]
    for image, size in zip(images, sizes, strict=True):
        same[_content(image.path) if sizes.count(size) > 1 else size].append(image)
    entries = []
    for copies in same.values():
        image_id = stem if len(same) == 1 else image_id_of(copies[0].name)
        if len({copy.split for copy in copies}) > 1:
            listing.problems.append(f"{image_id}: the same image is in train and in val")
        labels = [copy.label for copy in copies]
        names = listing.vocabulary.read(labels)
        if names.nothing and names.classes:
            both = f"{names.nothing[0]}/ and in {names.classes[0]}/"
            listing.problems.append(f"{image_id}: the same image is in {both}")
        entries.append(Entry(image_id, copies[0].path, copies[0].split or "train", names.classes))
    return entries


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # the check of the images reports why
        return str(path)
