"""Every image opened once before hours of work rely on it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image
from tqdm import tqdm

from getam_core.data.index import Entry
from getam_core.data.problems import raise_problems


def check_images(entries: Sequence[Entry], workers: int = 1) -> None:
    """Decode every image, with a progress bar, and report all that are broken at once.

    Parameters
    ----------
    entries : sequence of Entry
    workers : int
        Threads; decoding leaves the interpreter free.

    Raises
    ------
    InputError
        Names every image that is missing, is no image, or ends before its last pixel.
    """
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(_problem, entries)
        found = list(tqdm(found, "check images", total=len(entries), unit="image"))
    raise_problems("the images", [problem for problem in found if problem])


def _problem(entry: Entry) -> str | None:
    """Say what is wrong with one image."""
    try:
        with Image.open(entry.image) as image:
            # Drafted at an eighth of its size a JPEG is still parsed to its end, in a third of the
            # time; Pillow tells a truncated file, which not every OpenCV does.
            image.draft("RGB", (1, 1))
            image.load()
    except FileNotFoundError:
        return f"{entry.image}: missing"
    # Pillow's decoders raise ValueError, SyntaxError and others on damaged files.
    except Exception as error:
        return f"{entry.image}: cannot be decoded ({error})"
    return None
