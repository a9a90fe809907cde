"""The augmented training set of PASCAL VOC: its images, by the names of SBD's files.

SBD, the Semantic Boundaries Dataset (Hariharan et al. 2011), has masks for 11,355 images of VOC.
Adding VOC's own training images and removing its validation images gives 10,582: the usual training
set for segmentation. Only names of files are read here, no masks.
"""

from collections.abc import Iterator
from pathlib import Path

from getam_core.data.images import SUFFIXES

AUGMENTED = ("train_aug", "trainaug")
CLS = ("cls", "dataset/cls", "benchmark_RELEASE/dataset/cls")  # the last as in its archive
SBD_NAMES = ("SBD", "sbd", "benchmark_RELEASE", ".")


def augmented_ids(folder: Path, sbd: Path | str | None) -> tuple[list[str], str] | None:
    """Return the ids of train_aug, sorted, and where they come from; None without a source.

    Parameters
    ----------
    folder : Path
        The devkit's folder with JPEGImages. Its `train` and `val` lists must exist.
    sbd : Path or str, optional
        Folder of SBD, see `sbd_masks`.

    Notes
    -----
    The ids are those of SBD's masks, else of SegmentationClassAug, plus `train`, minus `val`.
    """
    lists = [folder / "ImageSets" / "Segmentation" / f"{name}.txt" for name in ("train", "val")]
    if not all(path.is_file() for path in lists):
        return None
    train, val = (set(list_ids(path)) for path in lists)
    source = sbd_masks(folder, sbd)
    if source is not None:
        names = {path.stem for path in source.glob("*.mat")}
    else:
        source = folder / "SegmentationClassAug"
        names = {path.stem for path in source.glob("*.png")}
    if not names:
        return None
    return sorted((names | train) - val), f"{source}, plus train, minus val"


def sbd_masks(folder: Path, sbd: Path | str | None) -> Path | None:
    """Find SBD's folder `cls` of .mat files: below `sbd`, or beside or in the devkit `folder`."""
    for root in _roots(folder, sbd):
        for inner in CLS:
            if (root / inner).is_dir():
                return root / inner
    return None


def _roots(folder: Path, sbd: Path | str | None) -> Iterator[Path]:
    if sbd is not None:
        yield Path(sbd).expanduser().absolute()
        return
    for parent in (folder, folder.parent, folder.parent.parent):
        yield from (parent / name for name in SBD_NAMES)


def list_ids(path: Path) -> list[str]:
    """Read the ids of a list, one per line, in order."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [_image_id(line.split()[0]) for line in lines if line.strip()]


def _image_id(word: str) -> str:
    """Accept paths, as in lists of the augmented set ("/JPEGImages/2007_000032.jpg")."""
    path = Path(word)
    if ".." in word or not ("/" in word or path.suffix.lower() in SUFFIXES):
        return word
    return path.stem
