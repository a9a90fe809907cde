"""Every image opened once before hours of work rely on it."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from getam_core.data.images import read_image
from getam_core.data.index import Entry
from getam_core.errors import InputError, raise_problems

BITS_OF_PNG = 24  # where the header of a PNG says how many bits a channel has
BITS_OF_TIFF = 258
WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
TOO_DEEP = "more than 8 bits per channel; convert it to 8 bits, scaled as it should look"
ALPHA_MODES = ("RGBA", "LA", "PA", "La", "RGBa")


def check_images(entries: Sequence[Entry], workers: int = 1) -> None:
    """Decode every image, with a progress bar, and report all that are broken at once.

    Parameters
    ----------
    entries : sequence of Entry
    workers : int
        Number of threads; decoding releases the interpreter's lock.

    Raises
    ------
    InputError
        Names every image with one of the problems of `image_problem`.
    """
    raise_problems("the images", image_problems(entries, None, workers))


def image_problems(entries: Sequence[Entry], folder: Path | None, workers: int) -> list[str]:
    """Return the `image_problem` of each image, with its path, relative to `folder` if given."""
    with ThreadPoolExecutor(workers) as pool:
        said = pool.map(lambda entry: image_problem(entry.image), entries)
        found = list(tqdm(said, "check images", total=len(entries), unit="image"))
    return [
        f"{_below(entry.image, folder)}: {problem}"
        for entry, problem in zip(entries, found, strict=True)
        if problem
    ]


def image_problem(path: Path) -> str | None:
    """Say in one line, without its name, why an image cannot be used; None if it can.

    An image must exist, decode to its last pixel, and have 8 bits per channel. CMYK and transparent
    pixels are refused, since they have no single meaning in RGB. Palette, grey and EXIF-rotated
    images are taken as they look.
    """
    try:
        if path.stat().st_size == 0:
            return "empty file; copy it again"
        with Image.open(path) as image:
            problem = _mode_problem(image) or _depth_problem(path, image)
            # A JPEG drafted at an eighth of its size is still parsed to its end, in a third of the
            # time. Pillow reports truncated files, which not every OpenCV does.
            image.draft("RGB", (1, 1))
            image.load()
            return problem or _transparency_problem(image) or _reader_problem(path, image)
    except FileNotFoundError:
        return "a broken link" if path.is_symlink() else "missing"
    except UnidentifiedImageError:
        return "cannot be decoded: not an image, despite its suffix"
    except OSError as error:
        if path.is_symlink() and not path.exists():
            return "a link in a loop of links"
        return f"cannot be decoded ({os.strerror(error.errno) if error.errno else error})"
    # Pillow's decoders raise ValueError, SyntaxError and others on damaged files.
    except Exception as error:
        return f"cannot be decoded ({error})"


def colour_problem(image: Image.Image) -> str | None:
    """Say in one line why a PIL image has no single meaning in RGB; None if it has one."""
    return _mode_problem(image) or _transparency_problem(image)


def _mode_problem(image: Image.Image) -> str | None:
    if image.mode == "CMYK":
        return "CMYK colours; save it as RGB"
    return TOO_DEEP if image.mode in WIDE_MODES else None


def _depth_problem(path: Path, image: Image.Image) -> str | None:
    return TOO_DEEP if _bits(path, image) > 8 else None


def _bits(path: Path, image: Image.Image) -> int:
    """Return the bits per channel, which Pillow's mode does not tell for colour images."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(BITS_OF_PNG + 1)[BITS_OF_PNG]
    if image.format == "TIFF":
        bits = image.tag_v2.get(BITS_OF_TIFF, 1)  # type: ignore[attr-defined] # TIFF's class
        return max(bits) if isinstance(bits, tuple) else bits
    return 8


def _transparency_problem(image: Image.Image) -> str | None:
    if image.mode not in ALPHA_MODES and "transparency" not in image.info:
        return None
    lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
    if lowest == 255:
        return None
    return "transparent pixels; flatten it onto a background and save it as RGB"


def _reader_problem(path: Path, image: Image.Image) -> str | None:
    """Try the run's own reader on formats that it supports only in part, or not at all."""
    if image.format in ("JPEG", "PNG"):
        return None
    try:
        read_image(path)
    except InputError:
        return (
            f"cannot be decoded: a variant of {image.format} that OpenCV cannot read;"
            " save it as PNG"
        )
    return None


def _below(path: Path, folder: Path | None) -> Path:
    return path.relative_to(folder) if folder and folder in path.parents else path
