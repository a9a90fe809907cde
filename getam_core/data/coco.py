"""MS COCO to a listing: image-level labels from the categories of an image's instances.

Any data set in COCO's format works. Segmentations are ignored here.
"""

import contextlib
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from getam_core.data.index import Entry
from getam_core.data.listing import Listing
from getam_core.data.vocabulary import Vocabulary
from getam_core.errors import InputError
from getam_core.extras import needs
from getam_core.files import read_json

if TYPE_CHECKING:
    from pycocotools.coco import COCO

ROBOFLOW = "_annotations.coco.json"  # beside the images of each split
ALIASES = {"train2014": ("train",), "val2014": ("valid", "val"), "val": ("valid",)}
IDS = (("images", ("id",)), ("categories", ("id",)))
KEYS = {  # the lists of the instances file, and the keys that each of their items must have
    "images": ("id", "file_name"),
    "annotations": ("image_id", "category_id"),
    "categories": ("id", "name"),
}


def coco_folder(root: Path | str) -> Path:
    """Find the folder that holds annotations/: `root`, `root`/coco or `root`/COCO; absolute.

    Raises
    ------
    InputError
        None of them is such a folder.
    """
    root = Path(root).expanduser().absolute()
    for folder in (root, root / "coco", root / "COCO"):
        if (folder / "annotations").is_dir() or any(folder.glob(f"*/{ROBOFLOW}")):
            return folder
    reason = f"has no annotations/, nor {ROBOFLOW}" if root.is_dir() else "no such folder"
    raise InputError(
        f"data root {root}: {reason}; give the folder that holds annotations/, train2014/ and"
        " val2014/"
    )


def instances_path(folder: Path, name: str) -> Path:
    """Return where the instances of a split are: annotations/instances_<name>.json.

    Else annotations/<name>.json, or Roboflow's <name>/_annotations.coco.json; for COCO's own names
    and "val" also the latter in train/ or valid/.
    """
    names = (name, *ALIASES.get(name, ()))
    usual = [folder / "annotations" / f"{prefix}{name}.json" for prefix in ("instances_", "")]
    there = [path for path in usual if path.is_file()]
    there += [path for n in names if (path := folder / n / ROBOFLOW).is_file()]
    return there[0] if there else usual[0]


def list_coco(
    root: Path | str,
    splits: Mapping[str, str],
    classes: Sequence[str] | None,
    vocabulary: Vocabulary | None = None,
) -> Listing:
    """List a data set in COCO's format.

    Parameters
    ----------
    root : Path or str
        See `coco_folder`. Images are in `<name>/` or `images/<name>/`.
    splits : mapping of str to str
        Our name of a split to COCO's: ``{"train": "train2014", "val": "val2014"}``.
    classes : sequence of str, or None
        Names of the foreground classes; None takes the categories that occur.
    vocabulary : Vocabulary, optional
        What labels mean; by default that of `classes`.

    Returns
    -------
    Listing
        Entries in the order of the file; an image_id is a file name without suffix
        ("COCO_val2014_000000000042"), see `image_id_of`. Crowds count as present. Problems are: a
        missing file or image, JSON of another form, an annotation of an unknown image or category,
        a category that is not in `classes`.

    Raises
    ------
    InputError
        `root` is no such folder.
    """
    folder = coco_folder(root)
    listing = Listing(folder, vocabulary=vocabulary or Vocabulary(classes))
    split_of: dict[str, str] = {}
    for split, name in splits.items():
        try:
            entries = _list_split(listing, split, name)
        except InputError as error:
            listing.problems += str(error).splitlines()
            continue
        for entry in entries:
            if before := split_of.get(entry.image_id):
                where = f"in split '{before}' and in split '{split}'"
                listing.problems.append(f"{entry.image_id}: {where}")
            else:
                listing.entries.append(entry)
        # After the loop: `Listing.checked` reports ids that occur twice in one split.
        split_of |= {entry.image_id: split for entry in entries}
    return listing


def _list_split(listing: Listing, split: str, name: str) -> list[Entry]:
    """Return the entries of one instances file, which is freed on return."""
    path = instances_path(listing.folder, name)
    coco = load_instances(path)
    if not coco.dataset["images"]:
        listing.problems.append(f"instances_{name}.json: lists no images")
    names = _category_names(coco, path.name, listing)
    beside = path.name == ROBOFLOW
    images = path.parent if beside else _image_folder(listing.folder, name, listing)
    there = {path.name for path in images.iterdir()} if images.is_dir() else set()
    entries = []
    for image in coco.dataset["images"]:
        file = PurePosixPath(str(image["file_name"]))
        if file.is_absolute() or ".." in file.parts or not file.name:
            where = f"instances_{name}.json: file_name {file}"
            listing.problems.append(f"{where}: leads outside the image folder")
            continue
        shown = {names[a["category_id"]] for a in coco.imgToAnns.get(image["id"], [])}
        present = listing.vocabulary.read(sorted(shown)).classes
        image_id = image_id_of(file)
        entries.append(Entry(image_id, images / file, split, present))
        plain = len(file.parts) == 1  # most are; a look-up of each would be slow on shared disks
        if file.name not in there if plain else not (images / file).is_file():
            listing.absent.add(image_id)
            if images.is_dir():
                path = images.relative_to(listing.folder) / file
                listing.problems.append(f"{path}: missing")
    return entries


def image_id_of(file_name: PurePosixPath | str) -> str:
    """Return an image's id, its file name without suffix: "cat_img_1" for cat/img_1.jpg."""
    return "_".join(PurePosixPath(file_name).with_suffix("").parts)


def load_instances(path: Path) -> "COCO":
    """Read an instances file; `InputError` names it and the first wrong item of each kind."""
    with needs("coco", "data in COCO's format"):
        from pycocotools.coco import COCO
    dataset = read_json(path)
    problems = _form_problems(dataset)
    if problems:
        raise InputError("\n".join(f"{path.name}: {problem}" for problem in problems))
    coco = COCO()
    coco.dataset = dataset
    names = {"images", path.stem.removeprefix("instances_"), path.parent.name}
    for image in dataset["images"]:
        image["file_name"] = _below(str(image["file_name"]), names)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        coco.createIndex()
    return coco


def _below(file_name: str, folders: Collection[str]) -> str:
    """Return a file name without the names of the image folder that may precede it."""
    parts = PurePosixPath(file_name.replace("\\", "/")).parts
    while len(parts) > 1 and parts[0] in folders:
        parts = parts[1:]
    return str(PurePosixPath(*parts))


def _complete(dataset: Mapping[str, Any]) -> None:
    """Add ids that annotations lack, and turn ids that are text into integers."""
    for number, annotation in enumerate(dataset["annotations"]):
        annotation.setdefault("id", number)
    for kind, keys in (*IDS, ("annotations", ("image_id", "category_id"))):
        for item in dataset[kind]:
            for key in keys:
                if isinstance(item[key], str) and item[key].isdecimal():
                    item[key] = int(item[key])


def _form_problems(dataset: Any) -> list[str]:
    if not isinstance(dataset, dict) or not all(isinstance(dataset.get(k), list) for k in KEYS):
        return [f"not in COCO's format; expected the lists {', '.join(KEYS)}"]
    problems = []
    for kind, keys in KEYS.items():
        wrong = (
            i
            for i, item in enumerate(dataset[kind])
            if not isinstance(item, dict) or any(key not in item for key in keys)
        )
        if (first := next(wrong, None)) is not None:
            problems.append(f"{kind}[{first}]: expected {', '.join(keys)}")
    if not problems:
        _complete(dataset)
    return problems or _reference_problems(dataset)


def _reference_problems(dataset: Mapping[str, Any]) -> list[str]:
    """Report ids that are used twice or refer to nothing; one line for each kind."""
    problems, ids = [], {kind: [item["id"] for item in dataset[kind]] for kind in KEYS}
    for kind, values in ids.items():
        if len(set(values)) != len(values):
            seen: set[Any] = set()
            twice = next(v for v in values if v in seen or seen.add(v))  # type: ignore[func-returns-value]
            problems.append(f"{kind}: id {twice} is used twice")
    for key, kind in (("image_id", "images"), ("category_id", "categories")):
        known = set(ids[kind])
        strange = [a["id"] for a in dataset["annotations"] if a[key] not in known]
        if strange:
            problems.append(
                f"{len(strange)} annotations have a {key} that is not in {kind}, first {strange[0]}"
            )
    return problems


def _category_names(coco: "COCO", file: str, listing: Listing) -> dict[int, str]:
    """Map the ids of categories that occur to names; those that are unknown are problems."""
    used = {annotation["category_id"] for annotation in coco.dataset["annotations"]}
    names = {k: str(category["name"]) for k, category in coco.cats.items() if k in used}
    listing.shown(sorted(set(names.values())), file, several_objects=True)
    return names


def _image_folder(folder: Path, name: str, listing: Listing) -> Path:
    for path in (folder / name, folder / "images" / name):
        if path.is_dir():
            return path
    listing.problems.append(f"{name}/: missing; it should hold the images of instances_{name}.json")
    return folder / name
