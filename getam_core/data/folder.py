"""Somebody's own pictures to a listing: `images/` with `labels.csv`, or one folder a class."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from getam_core.data.class_folders import NO_CLASSES, image_folder, list_class_folders
from getam_core.data.images import SUFFIXES
from getam_core.data.index import Entry
from getam_core.data.label_file import LABELS, LabelRow, read_labels
from getam_core.data.listing import Listing, unknown_class
from getam_core.data.splits import split_by_name
from getam_core.errors import InputError

TEST = "test"  # a split that many tables have; nothing here uses it


def list_folder(
    root: Path | str,
    splits: Mapping[str, str],
    classes: Sequence[str] | None = None,
    *,
    val_share: float = 0.2,
) -> Listing:
    """List a folder of one's own pictures; masks, if there are any, are not looked at.

    Parameters
    ----------
    root : Path or str
        Holds `labels.csv` and the images, below `images/` or beside it; or one folder a class (also
        below `images/`, or below one folder a split).
    splits : mapping of str to str
        Our name of a split to its name in the data set: {"train": "train", "val": "val"}.
    classes : sequence of str, optional
        Names of the foreground classes; None takes those that are found.
    val_share : float
        Share of the images in val, 0..1, where the data set has no splits (`split_by_name`).

    Raises
    ------
    InputError
        There is no such folder, it cannot be read, or it has neither of the two forms.
    """
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"data root {folder}: no such folder")
    try:
        if (folder / LABELS).exists():
            listing, split = _from_labels(folder, splits, classes)
        else:
            listing, split = list_class_folders(folder, splits, classes)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
    if not split:
        listing.entries = split_by_name(listing.entries, val_share)
    order = list(splits)
    listing.entries.sort(key=lambda entry: order.index(entry.split))
    return listing


def _from_labels(
    folder: Path, splits: Mapping[str, str], classes: Sequence[str] | None
) -> tuple[Listing, bool]:
    """Return the images that labels.csv names, and whether it has splits."""
    base = image_folder(folder)
    listing = Listing(folder)
    rows = read_labels(folder / LABELS, listing.problems)
    has_splits = any(row.split is not None for row in rows)
    files = _files_by_name(base)
    ours = {name: split for split, name in splits.items()}
    first: dict[Path, LabelRow] = {}
    left_out: list[Path | None] = []
    for row in rows:
        if row.split == TEST and TEST not in ours:
            left_out.append(files.get(row.image))
            continue
        path = _image_of(row, base, files, listing)
        if path is None:
            continue
        _check_row(row, classes, splits, has_splits, listing.problems)
        if (before := first.setdefault(path, row)) is not row:
            listing.problems.append(
                f"{LABELS}, line {row.line}: {row.image} is already in line {before.line}"
            )
            continue
        image_id = "_".join(path.relative_to(base).with_suffix("").parts)
        split = ours.get(row.split or "", "train")
        listing.entries.append(Entry(image_id, path, split, _ordered(row.classes, classes)))
        if not _there(path):
            listing.absent.add(image_id)
    unlisted = set(files.values()) - set(first) - set(left_out) if rows else ()
    _warn(listing, len(left_out), len(unlisted))
    return listing, has_splits


def _files_by_name(base: Path) -> dict[str, Path]:
    """Map names of images below `base`, with suffix, and, where only one has it, without."""
    found = sorted(path for path in base.rglob("*") if path.suffix.lower() in SUFFIXES)
    inside = [path.relative_to(base) for path in found]
    names = [path.as_posix() for path in inside if path.parts[0] not in NO_CLASSES]
    bare = [name.rpartition(".")[0] for name in names]
    count = Counter(bare)
    alone = {b: base / name for b, name in zip(bare, names, strict=True) if count[b] == 1}
    return alone | {name: base / name for name in names}


def _image_of(
    row: LabelRow, base: Path, files: Mapping[str, Path], listing: Listing
) -> Path | None:
    """Return the file that a row means; what is wrong with its name goes to the problems."""
    name = PurePosixPath(row.image.replace("\\", "/"))
    where = f"{LABELS}, line {row.line}"
    if name.is_absolute() and base in Path(name).parents:
        name = PurePosixPath(Path(name).relative_to(base))
    if name.is_absolute() or ".." in name.parts:
        listing.problems.append(
            f"{where}: {row.image} lies outside {base.name}/; copy the image into it"
        )
        return None
    if found := files.get(str(name)):
        return found
    path = base / name
    if not _there(path):
        listing.problems.append(f"{where}: {row.image} is not in {base.name}/")
    return path


def _there(path: Path) -> bool:
    """Whether there is anything; the check of the images says what links and folders are."""
    return path.exists() or path.is_symlink()


def _check_row(
    row: LabelRow,
    classes: Sequence[str] | None,
    splits: Mapping[str, str],
    has_splits: bool,
    problems: list[str],
) -> None:
    where = f"{LABELS}, line {row.line}"
    if classes is not None:
        problems += [f"{where}: {unknown_class(n, classes)}" for n in _unknown(row, classes)]
    if "background" in row.classes:
        problems.append(f"{where}: 'background' is no class; leave it out")
    if has_splits and row.split not in splits.values():
        expected = " or ".join(splits.values())
        problems.append(f"{where}: split '{row.split}'; expected {expected}")


def _unknown(row: LabelRow, classes: Sequence[str]) -> list[str]:
    return [name for name in row.classes if name not in (*classes, "background")]


def _ordered(names: Iterable[str], classes: Sequence[str] | None) -> tuple[str, ...]:
    """Return names in the order of the run's classes; found ones have the alphabet's."""
    names = set(names) - {"background"}  # it is a problem already
    return tuple(n for n in (sorted(names) if classes is None else classes) if n in names)


def _warn(listing: Listing, left_out: int, unlisted: int) -> None:
    if left_out:
        listing.warnings.append(f"left out, images of split '{TEST}': {left_out}")
    if unlisted:
        listing.warnings.append(f"left out, images that {LABELS} does not name: {unlisted}")
