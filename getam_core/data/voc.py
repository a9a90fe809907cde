"""PASCAL VOC layout to an index: image-level labels from the annotations, never from masks."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

from getam_core.data.index import Entry
from getam_core.data.problems import raise_problems
from getam_core.errors import InputError

SUFFIXES = (".jpg", ".png")


def voc_folder(root: Path | str) -> Path:
    """Find the folder that holds JPEGImages: `root`, `root`/VOC2012 or `root`/VOCdevkit/VOC2012.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    InputError
        When none of the three is one.
    """
    root = Path(root).expanduser().absolute()
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        if (folder / "JPEGImages").is_dir():
            return folder
    reason = (
        "has no JPEGImages, VOC2012 or VOCdevkit/VOC2012" if root.is_dir() else "no such folder"
    )
    raise InputError(f"data_root {root}: {reason}; give the folder that holds JPEGImages")


def read_voc(root: Path | str, splits: Mapping[str, str], classes: Sequence[str]) -> list[Entry]:
    """Read a data set in VOC layout and report everything that is wrong with it at once.

    Parameters
    ----------
    root : Path or str
        See `voc_folder`.
    splits : mapping of str to str
        Our name of a split to the name of its list in ImageSets/Segmentation, for example
        ``{"train": "train_aug", "val": "val"}``.
    classes : sequence of str
        Names of the foreground classes.

    Returns
    -------
    list of Entry
        In the order of `splits` and of the lists; an entry's classes in the order of `classes`.

    Raises
    ------
    InputError
        Lists every problem: a missing or empty list, an image or annotation that is missing, an
        annotation that is not XML, a class that is not in `classes`, an id listed twice or in two
        splits, a class without any training image.

    Notes
    -----
    Objects marked difficult or truncated count as present, as usual for image-level labels.
    """
    folder = voc_folder(root)
    problems: list[str] = []
    entries: list[Entry] = []
    split_of: dict[str, str] = {}
    for split, name in splits.items():
        for image_id in _read_list(folder, name, problems):
            if image_id in split_of:
                problems.append(_repeated(image_id, split_of[image_id], split))
                continue
            split_of[image_id] = split
            image = _find_image(folder, image_id, problems)
            names = _read_classes(folder, image_id, classes, problems)
            entries.append(Entry(image_id, image, split, names))
    problems += _classes_without_image(entries, splits, classes)
    raise_problems(f"the data set {folder}", problems)
    return entries


def _read_list(folder: Path, name: str, problems: list[str]) -> list[str]:
    path = Path("ImageSets", "Segmentation", f"{name}.txt")
    if not (folder / path).is_file():
        problems.append(f"{path}: missing; it lists the image ids of a split, one a line")
        return []
    lines = (folder / path).read_text(encoding="utf-8").splitlines()
    ids = [_image_id(line.split()[0]) for line in lines if line.strip()]
    if not ids:
        problems.append(f"{path}: empty")
    return ids


def _image_id(word: str) -> str:
    """Accept the paths that lists of the augmented set hold ("/JPEGImages/2007_000032.jpg")."""
    return Path(word).stem if "/" in word else word


def _repeated(image_id: str, before: str, now: str) -> str:
    if before == now:
        return f"{image_id}: listed twice in split '{now}'"
    return f"{image_id}: in split '{before}' and in split '{now}'"


def _find_image(folder: Path, image_id: str, problems: list[str]) -> Path:
    candidates = [folder / "JPEGImages" / f"{image_id}{suffix}" for suffix in SUFFIXES]
    for path in candidates:
        if path.is_file():
            return path
    problems.append(f"JPEGImages/{image_id}.jpg: missing (no .png either)")
    return candidates[0]


def _read_classes(
    folder: Path, image_id: str, classes: Sequence[str], problems: list[str]
) -> tuple[str, ...]:
    path = Path("Annotations", f"{image_id}.xml")
    try:
        root = ElementTree.parse(folder / path).getroot()
    except FileNotFoundError:
        problems.append(f"{path}: missing")
        return ()
    except ElementTree.ParseError as error:
        problems.append(f"{path}: not valid XML ({error})")
        return ()
    # Direct children only: the parts of a person (head, hand) are nested objects with names.
    names = {(item.findtext("name") or "").strip() for item in root.findall("object")}
    problems += [f"{path}: unknown class '{name}'" for name in sorted(names - set(classes))]
    return tuple(name for name in classes if name in names)


def _classes_without_image(
    entries: Sequence[Entry], splits: Mapping[str, str], classes: Sequence[str]
) -> list[str]:
    if "train" not in splits:
        return []
    seen = {name for entry in entries if entry.split == "train" for name in entry.classes}
    return [f"class '{name}': no training image shows it" for name in classes if name not in seen]
