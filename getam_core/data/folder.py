"""A user's own pictures to a listing, with a table or with folders that say what they show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from getam_core.data.class_folders import image_folder, list_class_folders
from getam_core.data.foreign import check_form
from getam_core.data.index import Entry
from getam_core.data.label_table import LABELS, OF_SPLIT, LabelRow, merged, read_labels
from getam_core.data.listing import Listing
from getam_core.data.mvtec import is_mvtec, list_mvtec
from getam_core.data.names import ImageFiles, image_id_of
from getam_core.data.splits import TEST, split_by_name, split_folders, split_of
from getam_core.data.vocabulary import Vocabulary
from getam_core.errors import InputError, joined_by_or


@dataclass(frozen=True)
class Places:
    """Where things are in a folder with names of its own; None means that they are looked for.

    Attributes
    ----------
    images, table : str, optional
        Folder of the images and file of the labels, relative to the data set or absolute.
    columns : mapping, optional
        Names of the table's columns, see `find_columns`.
    """

    images: str | None = None
    table: str | None = None
    columns: Mapping[str, str | Sequence[str] | None] = field(default_factory=dict)


def list_folder(
    root: Path | str,
    splits: Mapping[str, str],
    classes: Sequence[str] | None = None,
    *,
    val_share: float = 0.2,
    vocabulary: Vocabulary | None = None,
    places: Places | None = None,
) -> Listing:
    """List a folder of a user's own pictures; masks, if there are any, are ignored.

    Parameters
    ----------
    root : Path or str
        Holds a table of labels and the images, in `images/` or beside the table; or a table in each
        split's folder; or one folder per class, which may be in `images/` or in one folder per
        split; or MVTec's tree. docs/data.md has an example of each.
    splits : mapping of str to str
        Our name of a split to its name in the data set: {"train": "train", "val": "val"}.
    classes : sequence of str, optional
        Names of the foreground classes; None takes those that are found.
    val_share : float
        Share of the images in val, 0..1, where the data set has no splits (`split_by_name`).
    vocabulary : Vocabulary, optional
        What labels mean; by default that of `classes`.
    places : Places, optional
        Where images and table are.

    Raises
    ------
    InputError
        There is no such folder, it cannot be read, or it has none of these forms.
    """
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"data root {folder}: no such folder")
    listing = Listing(folder, vocabulary=vocabulary or Vocabulary(classes))
    places = places or Places()
    try:
        has_splits = _list(listing, splits, places)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
    if not has_splits:
        listing.entries = split_by_name(listing.entries, val_share)
    order = list(splits)
    listing.entries.sort(key=lambda entry: order.index(entry.split))
    return listing


def _list(listing: Listing, splits: Mapping[str, str], places: Places) -> bool:
    """Fill the listing from the first form that is found; return whether it has splits."""
    folder = listing.folder
    base, table = _base(folder, places), _table(folder, places)
    if table is not None:
        rows = read_labels(
            table,
            listing.problems,
            classes=listing.vocabulary.classes,
            columns=places.columns,
        )
        _list_rows(listing, rows, base, table.name, splits)
        return any(row.split is not None for row in rows)
    if is_mvtec(base):
        list_mvtec(listing, base)
        return False
    folders = split_folders(base, splits, OF_SPLIT)
    if folders and all((inner / OF_SPLIT).is_file() for inner in folders.values()):
        for split, inner in folders.items():
            _list_split_table(listing, inner, split, places)
        return True
    check_form(folder, base, folders)
    list_class_folders(listing, base, folders)
    return bool(folders)


def mvtec_tree(root: Path | str, places: Places) -> Path | None:
    """Return the folder of MVTec's tree if `list_folder` lists one; a table takes precedence."""
    folder = Path(root).expanduser().absolute()
    base = _base(folder, places)
    return base if _table(folder, places) is None and is_mvtec(base) else None


def _base(folder: Path, places: Places) -> Path:
    return _named(folder, places.images, "images") or image_folder(folder)


def _table(folder: Path, places: Places) -> Path | None:
    found = (folder / n for n in (LABELS, OF_SPLIT) if (folder / n).exists())
    return _named(folder, places.table, "table") or next(found, None)


def _named(folder: Path, name: str | None, key: str) -> Path | None:
    """Return the path that the settings name, relative to the data set or absolute."""
    if name is None:
        return None
    path = (folder / Path(name).expanduser()).absolute()
    if key == "images" and not path.is_dir():
        raise InputError(f"data.images: no such folder: {path}")
    if key == "table" and not path.is_file():
        raise InputError(f"data.table: no such file: {path}")
    return path


def _list_split_table(listing: Listing, folder: Path, split: str, places: Places) -> None:
    """Add the images of one split's folder, which has a table of its own."""
    name = f"{folder.name}/{OF_SPLIT}"
    rows = read_labels(
        folder / OF_SPLIT,
        listing.problems,
        name=name,
        classes=listing.vocabulary.classes,
        columns=places.columns,
    )
    _list_rows(listing, rows, folder, name, {split: split}, split)


def _list_rows(
    listing: Listing,
    rows: Sequence[LabelRow],
    base: Path,
    table: str,
    splits: Mapping[str, str],
    split: str = "train",
) -> None:
    """Add the images that the rows of a table name; `split` is that of rows without one."""
    files = ImageFiles(base, [listing.folder.name])
    named = list(_with_files(listing, rows, files))
    left_out: list[Path] = []
    for path, row in merged(named, listing.problems).items():
        of_row = split if row.split is None else split_of(row.split, splits)
        if of_row == TEST and TEST not in splits:
            left_out.append(path)
            continue
        if of_row is None:
            expected = joined_by_or(splits.values())
            listing.problems.append(f"{row.where}: split '{row.split}'; expected {expected}")
        image_id = image_id_of(path.relative_to(base))
        shown = listing.shown(row.classes, f"{row.where}, {row.image}")
        listing.entries.append(Entry(image_id, path, of_row or split, shown))
    _warn(listing, len(left_out), len(set(files.paths) - {path for path, _ in named}), table)


def _with_files(
    listing: Listing, rows: Iterable[LabelRow], files: ImageFiles
) -> Iterable[tuple[Path, LabelRow]]:
    """Pair rows with their files; wrong names are added to the problems."""
    for row in rows:
        found = files.find(row.image)
        if isinstance(found, Path):
            yield found, row
        elif row.split is None or row.split.strip().casefold() != TEST:
            listing.problems.append(f"{row.where}: {found}")


def _warn(listing: Listing, left_out: int, unlisted: int, table: str) -> None:
    if left_out:
        listing.warnings.append(f"left out, images of split '{TEST}': {left_out}")
    if unlisted and listing.entries:
        listing.warnings.append(f"left out, images that {table} does not name: {unlisted}")
