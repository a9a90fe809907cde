"""Semantic masks of COCO, rendered from its instances, one image at a time."""

from collections.abc import Mapping, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from getam_core.classes import IGNORE
from getam_core.data.coco import coco_folder, image_id_of, instances_path, load_instances
from getam_core.data.index import Entry
from getam_core.errors import InputError
from getam_core.evaluation.mask_values import write_mask
from getam_core.extras import needs
from getam_core.processes import parallel_map

Job = tuple[str, Mapping[str, Any], list[Mapping[str, Any]]]


def coco_masks(
    root: Path | str,
    name: str,
    entries: Sequence[Entry],
    classes: Sequence[str],
    out: Path,
    *,
    workers: int = 1,
) -> dict[str, Path]:
    """Render the masks of `entries` as index PNGs in the folder `out`, with a progress bar.

    Parameters
    ----------
    root : Path or str
        See `coco_folder`.
    name : str
        COCO's name of the split: "val2014".
    classes : sequence of str
        The k-th (from 1) has value k.
    workers : int
        Processes; only the annotations of all images are in memory, never their masks.

    Returns
    -------
    dict of image_id to Path

    Raises
    ------
    InputError
        An image is not listed, or its segmentation cannot be drawn.
    """
    coco = load_instances(instances_path(coco_folder(root), name))
    images = {image_id_of(image["file_name"]): image for image in coco.dataset["images"]}
    label = {name: k for k, name in enumerate(classes, start=1)}
    value = {k: label[str(c["name"])] for k, c in coco.cats.items() if str(c["name"]) in label}
    absent = [entry.image_id for entry in entries if entry.image_id not in images]
    if absent:
        raise InputError(f"instances_{name}.json: does not list image {absent[0]}")
    jobs: list[Job] = []
    for entry in entries:
        image = images[entry.image_id]
        jobs.append((entry.image_id, image, coco.imgToAnns.get(image["id"], [])))
    out.mkdir(parents=True, exist_ok=True)
    work = partial(_write_mask, value=value, out=out)
    masks = parallel_map(work, jobs, workers, itemgetter(0))
    return dict(tqdm(masks, "render masks", total=len(jobs), unit="mask"))


def render(
    image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], value: Mapping[int, int]
) -> np.ndarray:
    """Draw instances as a semantic mask.

    Parameters
    ----------
    image : mapping
        COCO's, with height and width, pixels.
    annotations : sequence of mapping
        COCO's, with segmentation (polygons or run lengths) and iscrowd.
    value : mapping of int to int
        Category id to label, 1..C.

    Returns
    -------
    (H, W) ndarray of uint8
        255 where there is only a crowd. Where instances overlap, the smaller one is on top; of
        equal ones, the later.
    """
    with needs("coco", "masks of COCO"):
        from pycocotools import mask as rle
        from pycocotools.coco import COCO
    coco = COCO()
    coco.imgs = {image["id"]: image}
    # Categories that are not classes of the run, such as `_background_`, are not drawn.
    wanted = [a for a in annotations if a["category_id"] in value or a.get("iscrowd", 0)]
    boxes = [a["id"] for a in wanted if not a.get("segmentation") and not a.get("iscrowd", 0)]
    if boxes:
        others = f" and {len(boxes) - 1} more" if len(boxes) > 1 else ""
        raise InputError(
            f"annotation {boxes[0]}{others} without a segmentation: boxes cannot become masks;"
            " do not request scores of this split"
        )
    drawn = [(a, coco.annToRLE(a)) for a in wanted if a.get("segmentation")]
    mask = np.zeros((image["height"], image["width"]), np.uint8)
    # Crowds first: they are rough outlines around instances, some of which are also drawn singly.
    drawn.sort(key=lambda pair: (not pair[0].get("iscrowd", 0), -int(rle.area(pair[1]))))
    for annotation, region in drawn:
        label = IGNORE if annotation.get("iscrowd", 0) else value[annotation["category_id"]]
        mask[rle.decode(region) > 0] = label
    return mask


def _write_mask(job: Job, value: Mapping[int, int], out: Path) -> tuple[str, Path]:
    image_id, image, annotations = job
    try:
        mask = render(image, annotations, value)
    except InputError as error:
        raise InputError(f"{image_id}: {error}") from None
    except Exception as error:  # pycocotools raises Exception, KeyError, TypeError and others
        raise InputError(f"{image_id}: its segmentations cannot be drawn ({error!r})") from None
    path = out / f"{image_id}.png"
    write_mask(path, mask)
    return image_id, path
