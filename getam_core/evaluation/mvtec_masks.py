"""Masks of MVTec's tree: ground_truth/<defect>/<image>_mask.png, of 0 and 255."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from getam_core.classes import BACKGROUND
from getam_core.data.index import Entry
from getam_core.errors import raise_problems
from getam_core.evaluation.mask_values import write_mask
from getam_core.evaluation.masks import image_size
from getam_core.stores import read_label_png


def mvtec_masks(
    base: Path, entries: Sequence[Entry], classes: Sequence[str], out: Path
) -> dict[str, Path]:
    """Write the masks of a tree as index PNGs into the folder `out`; good images are background.

    Parameters
    ----------
    base : Path
        The folder that holds train/, test/ and ground_truth/.
    entries : sequence of Entry
        Each shows one defect, its folder's, or none.
    classes : sequence of str
        The k-th (from 1) has value k.

    Raises
    ------
    InputError
        Names every missing mask and every image with several defects, or the first unreadable mask.
    """
    out.mkdir(parents=True, exist_ok=True)
    problems, masks = [], {}
    for entry in tqdm(entries, "translate masks", unit="mask"):
        masks[entry.image_id] = out / f"{entry.image_id}.png"
        if not entry.classes:
            blank = np.full(image_size(entry.image), BACKGROUND, np.uint8)
            write_mask(masks[entry.image_id], blank)
            continue
        defect, *others = entry.classes
        if others:
            problems.append(f"{entry.image_id}: shows {', '.join(entry.classes)}; expected one")
            continue
        path = base / "ground_truth" / defect / f"{entry.image.stem}_mask.png"
        if not path.is_file():
            problems.append(f"{path}: no such mask")
            continue
        inside = read_label_png(path) > 0
        write_mask(masks[entry.image_id], inside.astype(np.uint8) * (1 + classes.index(defect)))
    raise_problems("the masks", problems)
    return masks
