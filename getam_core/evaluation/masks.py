"""Ground truth: where masks are, what they hold, and whether they fit the images."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from getam_core.classes import IGNORE
from getam_core.data.augmented import sbd_masks
from getam_core.data.index import Entry
from getam_core.data.names import image_id_of, images_below
from getam_core.data.voc import voc_folder
from getam_core.errors import InputError, joined_by_or, raise_problems
from getam_core.extras import needs
from getam_core.files import atomic_path
from getam_core.stores import nothing_labelled, read_label_png

COLUMNS = ["image_id", "mask"]
EXIF_ORIENTATION = 0x0112


def find_masks(
    root: Path | str, entries: Sequence[Entry], *, sbd: Path | str | None = None
) -> dict[str, Path]:
    """Name the mask of every entry in a VOC layout; see `voc_mask`.

    `root` is resolved by `getam_core.data.voc_folder`, `sbd` by `sbd_masks`; `check_masks` checks
    that the files exist and are right.
    """
    folder = voc_folder(root)
    return {entry.image_id: voc_mask(folder, entry.image_id, sbd) for entry in entries}


def voc_mask(folder: Path, image_id: str, sbd: Path | str | None = None) -> Path:
    """Name an image's mask: the devkit's, else SegmentationClassAug's, else SBD's .mat file."""
    first = folder / "SegmentationClass" / f"{image_id}.png"
    augmented = folder / "SegmentationClassAug" / f"{image_id}.png"
    for path in (first, augmented):
        if path.is_file():
            return path
    boundaries = sbd_masks(folder, sbd)
    if boundaries is not None and (path := boundaries / f"{image_id}.mat").is_file():
        return path
    return first


def folder_masks(
    root: Path | str, entries: Sequence[Entry], masks: str | None = None
) -> dict[str, Path]:
    """Name the mask of every entry in the layout `folder`: masks/<image_id>.png.

    `masks` names another folder, relative to `root`. A mask may be in a subfolder, as its image is,
    and have `_mask` after its name; a file with exactly the image's name takes precedence.

    Raises
    ------
    InputError
        Several files could be the mask of one image.
    """
    folder = Path(root).expanduser().absolute() / (masks or "masks")
    there: defaultdict[str, list[Path]] = defaultdict(list)
    for path in images_below(folder):
        there[image_id_of(path.relative_to(folder))].append(path)
    listed = [entry.image_id for entry in entries]
    suffixed = {name.removesuffix("_mask"): there[name] for name in there.keys() - set(listed)}
    found = {i: there.get(i) or suffixed.get(i) or [folder / f"{i}.png"] for i in listed}
    several = {i: joined_by_or(paths) for i, paths in found.items() if len(paths) > 1}
    problems = [f"{i}: its mask could be {paths}; keep one" for i, paths in several.items()]
    raise_problems(f"the masks in {folder}", problems)
    return {i: paths[0] for i, paths in found.items()}


def read_mask(path: Path) -> np.ndarray:
    """Read a mask.

    Parameters
    ----------
    path : Path
        A palette PNG, whose indices are the labels, a grey PNG, or a .mat file of SBD's `cls`.

    Returns
    -------
    (H, W) ndarray of uint8
        0 background, 1..C classes, 255 ignored.

    Raises
    ------
    InputError
        The file is missing, cannot be decoded, or holds colours instead of labels.
    """
    if path.suffix == ".mat":
        return _read_sbd(path)
    if not path.is_file():
        raise InputError(f"{path}: no such mask")
    return read_label_png(path)


def _read_sbd(path: Path) -> np.ndarray:
    with needs("sbd", "masks of SBD"):
        from scipy.io import loadmat
    if not path.is_file():
        raise InputError(f"{path}: no such mask")
    try:
        truth = loadmat(path, squeeze_me=True, struct_as_record=False)["GTcls"]
        return np.asarray(truth.Segmentation, np.uint8)
    except Exception as error:  # damaged files raise ValueError, KeyError, zlib.error and others
        raise InputError(f"{path}: not an SBD mask ({error!r})") from None


def check_masks(
    masks: Mapping[str, Path],
    entries: Sequence[Entry],
    num_classes: int,
    workers: int = 1,
    classes: Sequence[str] | None = None,
) -> None:
    """Check that every entry has a mask of its image's size, with values 0..C or 255.

    Given the names of the `classes`, also compare the masks with the image-level labels: if most
    masks have none of the classes that their images show, their values have another meaning.

    Parameters
    ----------
    masks : mapping of image_id to Path
    entries : sequence of Entry
    num_classes : int
        Number of values including the background, C + 1.
    workers : int
        Threads; decoding releases the interpreter lock.

    Raises
    ------
    InputError
        Names all problems of the set at once.
    """
    values: dict[str, set[int]] = {}

    def problems_of(entry: Entry) -> list[str]:
        if entry.image_id not in masks:
            return [f"{entry.image_id}: has no mask"]
        try:
            path = masks[entry.image_id]
            problems, values[entry.image_id] = _mask_problems(path, entry.image, num_classes)
            return problems
        except InputError as error:
            return [str(error)]

    with ThreadPoolExecutor(workers) as pool:
        found = tqdm(pool.map(problems_of, entries), "check masks", len(entries), unit="mask")
        problems = [problem for problems in found for problem in problems]
    names = classes if classes is not None else num_classes - 1
    if not problems and (problem := nothing_labelled(set().union(*values.values()), names)):
        problems.append(problem)
    if not problems and classes is not None:
        problems += _label_problems(values, masks, entries, classes)
    raise_problems("the masks", problems)


def _label_problems(
    values: Mapping[str, set[int]],
    masks: Mapping[str, Path],
    entries: Sequence[Entry],
    classes: Sequence[str],
) -> list[str]:
    """Report masks that share no class with their labels, if more than half of them do not."""
    label = {name: k for k, name in enumerate(classes, start=1)}
    shown = {e.image_id: {label[name] for name in e.classes} for e in entries if e.classes}
    drawn = {i: values[i] & set(label.values()) for i in shown}
    if shown and not any(drawn.values()):
        return [
            f"no mask has a pixel of a class, although {len(shown)} of their images are labelled"
            " with one"
        ]
    both = [i for i in shown if drawn[i]]
    strange = [i for i in both if not drawn[i] & shown[i]]
    if 2 * len(strange) <= len(both):
        return []
    first = strange[0]
    value = min(drawn[first])
    says = classes[min(shown[first]) - 1]
    return [
        f"{len(strange)} of {len(both)} have none of the classes that their images show, first"
        f" {masks[first]}: value {value} is '{classes[value - 1]}', the label says '{says}'; are"
        " the values in another order (data.classes, data.mask_values)?"
    ]


def _mask_problems(path: Path, image: Path, num_classes: int) -> tuple[list[str], set[int]]:
    mask = read_mask(path)
    problems = []
    if mask.shape != (size := image_size(image)):
        problems.append(f"{path}: {_by(mask.shape)} pixels, its image has {_by(size)}")
    values = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))  # as unique, but faster
    strange = values[(values >= num_classes) & (values != IGNORE)].tolist()
    if strange:
        problems.append(f"{path}: values {strange}, expected 0..{num_classes - 1} or {IGNORE}")
    return problems, set(values.tolist())


def image_size(path: Path) -> tuple[int, int]:
    """Return height and width as `data.read_image` gives them, read from the header only."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            lies = image.getexif().get(EXIF_ORIENTATION, 1) >= 5  # rotated by 90 degrees
            lies = lies and image.format != "TIFF"  # whose size Pillow has already swapped
    except (OSError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be opened ({error})") from None
    return (width, height) if lies else (height, width)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def write_mask_index(path: Path | str, masks: Mapping[str, Path]) -> None:
    """Write `masks` as CSV: image_id, mask (absolute)."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([image_id, Path(mask).absolute()] for image_id, mask in masks.items())


def read_mask_index(path: Path | str) -> dict[str, Path]:
    """Read what `write_mask_index` wrote; `InputError` when missing or another kind of file."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except FileNotFoundError:
        raise InputError(f"{path}: no such index of masks") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None
    if header != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise InputError(f"{path}: expected the columns {','.join(COLUMNS)} and nothing else")
    return {image_id: Path(mask) for image_id, mask in rows}


def masks_of(entries: Sequence[Entry], masks: Mapping[str, Path]) -> dict[str, Path]:
    """Return the masks of these entries, in their order; `InputError` if one is not indexed."""
    absent = [entry.image_id for entry in entries if entry.image_id not in masks]
    raise_problems(
        "the mask index is incomplete; delete it and run the same command",
        [f"{name}: not in it" for name in absent],
    )
    return {entry.image_id: masks[entry.image_id] for entry in entries}
