"""Pictures segmented one after another, into a folder; results that exist are not made again."""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from getam_core.errors import InputError
from getam_core.file_access import reading_file
from getam_core.files import digest
from getam_core.processes import parallel_map
from getam_core.segment.pictures import Picture, as_pixels
from getam_core.segment.results import Results, drawable
from getam_core.segment.segmenter import Segmentation, Segmenter, smoothed


@dataclass
class Outcome:
    """What became of the pictures, by path."""

    made: int = 0
    stood: int = 0
    wrong: dict[Path, str] = field(default_factory=dict)
    rows: dict[Path, dict[str, Any]] = field(default_factory=dict)


def segment_folder(
    segmenter: Segmenter,
    pictures: Sequence[Picture],
    results: Results,
    *,
    overlay: bool = False,
    workers: int = 1,
) -> Outcome:
    """Segment the pictures and write their results; a picture that cannot be read is skipped.

    The table is written at the end, even if the work is stopped early.

    Parameters
    ----------
    overlay : bool
        Also draw the labels over the pictures.
    workers : int
        Processes for the CRF, while the network goes on with the next pictures.

    Raises
    ------
    InputError
        A mask of another picture exists where one of these is to be written.
    """
    results.check_owners(pictures)
    outcome = Outcome()
    waiting: deque[tuple[Picture, str, np.ndarray]] = deque()  # those in the CRF's processes
    try:
        pairs = _segmented(segmenter, pictures, results, outcome, waiting, overlay)
        if segmenter.crf is None:
            made: Iterator[Segmentation] = (segmentation for _, segmentation in pairs)
        else:
            made = parallel_map(partial(_smoothed_labels, recipe=segmenter.crf), pairs, workers)
        for segmentation in made:
            picture, of_file, pixels = waiting.popleft()
            row = results.write(picture, of_file, pixels, segmentation, overlay=overlay)
            outcome.rows[picture.path] = row
            outcome.made += 1
            if overlay and not drawable(row["size"]):
                said = "no overlay: JPEG allows at most 65,500 px per side; its mask is written"
                tqdm.write(f"{picture.path}: {said}", file=sys.stderr)
    finally:
        done = [p for p in pictures if p.path in outcome.rows]
        results.write_table((str(p.path), p.name, outcome.rows[p.path]) for p in done)
    return outcome


def _smoothed_labels(pair: tuple[np.ndarray, Segmentation], recipe: str) -> Segmentation:
    """Apply the CRF, and drop the probabilities: they need not be sent between processes."""
    return replace(smoothed(pair, recipe), probabilities=None)


def _segmented(
    segmenter: Segmenter,
    pictures: Sequence[Picture],
    results: Results,
    outcome: Outcome,
    waiting: deque[tuple[Picture, str, np.ndarray]],
    overlay: bool,
) -> Iterator[tuple[np.ndarray, Segmentation]]:
    """Segment and yield the pictures without results; record the outcome of the others."""
    for picture in tqdm(pictures, "segment", unit="picture"):
        try:
            with reading_file(picture.path):
                of_file = digest(picture.path)
            row = results.row(picture.name, of_file, overlay=overlay)
            if row is not None:
                outcome.rows[picture.path] = row
                outcome.stood += 1
                continue
            pixels = as_pixels(picture.path)
        except InputError as error:
            outcome.wrong[picture.path] = str(error)
            tqdm.write(str(error), file=sys.stderr)
            continue
        made = segmenter.before_crf(pixels)
        waiting.append((picture, of_file, pixels))
        yield pixels, made
