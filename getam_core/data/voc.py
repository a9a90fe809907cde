"""PASCAL VOC layout to an index: image-level labels from the annotations, never from masks."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from getam_core.classes import VOC_CLASSES
from getam_core.data.augmented import AUGMENTED, augmented_ids, list_ids
from getam_core.data.images import SUFFIXES
from getam_core.data.index import Entry
from getam_core.data.label_table import LABELS, merged, read_labels
from getam_core.data.listing import Listing
from getam_core.data.names import composed, is_image
from getam_core.data.vocabulary import Vocabulary
from getam_core.errors import InputError

UNLABELLED = "test"
# Images of the lists of PASCAL VOC 2012; train_aug is the usual union with SBD.
COUNTS = {"train": 1464, "val": 1449, "trainval": 2913, "test": 1456} | dict.fromkeys(
    AUGMENTED, 10582
)


def voc_folder(root: Path | str) -> Path:
    """Find the folder that holds JPEGImages: `root`, `root`/VOC2012 or `root`/VOCdevkit/VOC2012.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    InputError
        None of the three is such a folder.
    """
    root = Path(root).expanduser().absolute()
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        if (folder / "JPEGImages").is_dir():
            return folder
    reason = (
        "has no JPEGImages, VOC2012 or VOCdevkit/VOC2012" if root.is_dir() else "no such folder"
    )
    raise InputError(f"data_root {root}: {reason}; give the folder that holds JPEGImages")


def list_voc(
    root: Path | str,
    splits: Mapping[str, str],
    classes: Sequence[str] | None,
    *,
    sbd: Path | str | None = None,
    labels_of: Callable[[str], tuple[str, ...]] | None = None,
    vocabulary: Vocabulary | None = None,
) -> Listing:
    """List a data set in VOC layout; masks are ignored, unless `labels_of` reads them.

    Parameters
    ----------
    root : Path or str
        See `voc_folder`.
    splits : mapping of str to str
        Our name of a split to that of its list in ImageSets/Segmentation: ``{"val": "val"}``. A
        missing list `train_aug` is made from the names of SBD's files (`augmented_ids`).
    classes : sequence of str, or None
        Names of the foreground classes; None takes those that the annotations name.
    sbd : Path or str, optional
        Folder of the Semantic Boundaries Dataset; by default looked for in and beside the devkit.
    labels_of : callable, optional
        `labels_of(image_id)` returns an image's classes instead of its annotation, or raises.
    vocabulary : Vocabulary, optional
        What labels mean; by default that of `classes`.

    Returns
    -------
    Listing
        Entries in the order of `splits` and of the lists, an entry's classes in that of `classes`.
        Problems are: a missing or empty list, a missing image, an image with neither an annotation
        nor a line in labels.csv, an annotation that is not XML, a class that is not in `classes`,
        an id listed twice or in two splits. It warns of a list of PASCAL VOC 2012 whose length
        differs from the original.

    Raises
    ------
    InputError
        `root` is no such folder.

    Notes
    -----
    Objects marked difficult or truncated count as present, as usual for image-level labels. Images
    of the list `test` get no class if they have no annotation: those of VOC are not published.
    """
    folder = voc_folder(root)
    listing = Listing(folder, vocabulary=vocabulary or Vocabulary(classes))
    reader = _Labels(listing, labels_of)
    images = _images_by_id(listing)
    split_of: dict[str, str] = {}
    for split, name in splits.items():
        for image_id in _read_list(listing, name, sbd):
            if image_id in split_of:
                listing.problems.append(_repeated(image_id, split_of[image_id], split))
                continue
            split_of[image_id] = split
            image = images.get(composed(image_id)) or _absent(listing, image_id)
            names = reader.read(image_id, needed=name != UNLABELLED)
            listing.entries.append(Entry(image_id, image, split, names))
    if classes == VOC_CLASSES:
        listing.warnings += _other_counts(listing.entries, splits)
    return listing


def _read_list(listing: Listing, name: str, sbd: Path | str | None) -> list[str]:
    path = Path("ImageSets", "Segmentation", f"{name}.txt")
    if not (listing.folder / path).is_file():
        if name in AUGMENTED and (derived := augmented_ids(listing.folder, sbd)):
            ids, source = derived
            listing.warnings.append(f"{path} is missing; its {len(ids)} ids are those of {source}")
            return ids
        beside = "; or put SBD beside the devkit" if name in AUGMENTED else ""
        listing.problems.append(
            f"{path}: missing; it lists the image ids of a split, one per line{beside}"
        )
        return []
    try:
        ids = list_ids(listing.folder / path)
    except UnicodeDecodeError:
        listing.problems.append(f"{path}: not UTF-8 text")
        return []
    if not ids:
        listing.problems.append(f"{path}: empty")
    return ids


def _repeated(image_id: str, before: str, now: str) -> str:
    if before == now:
        return f"{image_id}: listed twice in split '{now}'"
    return f"{image_id}: in split '{before}' and in split '{now}'"


def _images_by_id(listing: Listing) -> dict[str, Path]:
    """Map ids to the images in JPEGImages/, whatever their suffix; two of one id are a problem."""
    found: dict[str, Path] = {}
    for path in sorted((listing.folder / "JPEGImages").iterdir()):
        if is_image(path) and (other := found.setdefault(composed(path.stem), path)) is not path:
            both = f"{other.name} and {path.name}"
            listing.problems.append(f"JPEGImages/: {both} have the same id; keep one")
    return found


def _absent(listing: Listing, image_id: str) -> Path:
    """Note an image that is missing; return where it is expected."""
    listing.problems.append(f"JPEGImages/{image_id}.jpg: missing (no other suffix either)")
    listing.absent.add(image_id)
    return listing.folder / "JPEGImages" / f"{image_id}.jpg"


class _Labels:
    """The classes of an image: from its annotation, from labels.csv, or as the caller says."""

    def __init__(self, listing: Listing, labels_of: Callable[[str], tuple[str, ...]] | None):
        self.listing, self.labels_of = listing, labels_of
        self.folder, self.problems = listing.folder, listing.problems
        table, known = self.folder / LABELS, listing.vocabulary.classes
        rows = read_labels(table, self.problems, classes=known) if table.is_file() else []
        self.rows = merged([(_id_of(row.image), row) for row in rows], self.problems)

    def read(self, image_id: str, *, needed: bool) -> tuple[str, ...]:
        """Return the classes in the run's order; problems are recorded."""
        if self.labels_of is not None:
            try:
                return self.labels_of(image_id)
            except InputError as error:
                self.problems.append(str(error))
                return ()
        path = Path("Annotations", f"{image_id}.xml")
        try:
            names = _objects(self.folder / path)
            return self.listing.shown(names, str(path), several_objects=True)
        except FileNotFoundError:
            row = self.rows.get(composed(image_id))
            if row is None:
                if needed:
                    beside = f", and {LABELS} does not name the image" if self.rows else ""
                    self.problems.append(f"{path}: missing{beside}")
                return ()
            return self.listing.shown(row.classes, row.where)
        except ElementTree.ParseError as error:
            self.problems.append(f"{path}: not valid XML ({error})")
            return ()


def _id_of(name: str) -> str:
    """Return the id of an image as labels.csv names it; ids may contain dots."""
    path = PurePosixPath(name.replace("\\", "/"))
    return composed(path.stem if path.suffix.lower() in SUFFIXES else path.name)


def _objects(path: Path) -> list[str]:
    root = ElementTree.parse(path).getroot()
    # Direct children only: the parts of a person (head, hand) are nested objects with names.
    return sorted({(item.findtext("name") or "").strip() for item in root.findall("object")})


def _other_counts(entries: Sequence[Entry], splits: Mapping[str, str]) -> list[str]:
    counts = {name: sum(e.split == split for e in entries) for split, name in splits.items()}
    return [
        f"list {name}: {count} images; PASCAL VOC 2012 has {COUNTS[name]}"
        for name, count in counts.items()
        if COUNTS.get(name, count) != count
    ]
