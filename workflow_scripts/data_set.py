"""The reader for a run's layout: of images and, for evaluation, of masks."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from getam_core.data import (
    Entry,
    Listing,
    Places,
    Vocabulary,
    list_coco,
    list_folder,
    list_voc,
    voc_folder,
)
from getam_core.data.folder import mvtec_tree
from getam_core.evaluation import (
    coco_masks,
    find_masks,
    folder_masks,
    mvtec_masks,
    translated_masks,
    voc_mask_labels,
)
from getam_core.settings import Settings
from getam_core.stores import LABELMAP, Values, parse_values, read_labelmap


def list_data_set(settings: Settings, root: Path) -> Listing:
    """List the images and labels below `root` in the run's layout."""
    data = settings.data
    splits = {"train": data.train, "val": data.val}
    leave_out = data.other_classes == "leave_out"
    vocabulary = Vocabulary(data.classes, data.negative, leave_out)
    if data.layout == "folder":
        return list_folder(
            root,
            splits,
            val_share=data.val_share,
            vocabulary=vocabulary,
            places=_places(settings),
        )
    if data.layout == "coco":
        return list_coco(root, splits, data.classes, vocabulary)
    labels_of = None
    if data.labels == "masks":
        values = mask_values(settings, root, data.classes)
        labels_of = voc_mask_labels(root, data.classes, data.sbd, values)
    return list_voc(
        root, splits, data.classes, sbd=data.sbd, labels_of=labels_of, vocabulary=vocabulary
    )


def masks_of_data_set(
    settings: Settings,
    root: Path,
    split: str,
    entries: Sequence[Entry],
    classes: Sequence[str],
    *,
    out: Path,
    workers: int,
) -> dict[str, Path]:
    """Name the masks of a split in the run's layout.

    Those of COCO and of MVTec, and those whose values are not the labels, are written into `out`.
    """
    data = settings.data
    if data.layout == "coco":
        name = {"train": data.train, "val": data.val}[split]
        return coco_masks(root, name, entries, classes, out, workers=workers)
    if data.layout == "folder":
        tree = mvtec_tree(root, _places(settings))
        if tree is not None and data.masks is None:
            return mvtec_masks(tree, entries, classes, out)
        masks = folder_masks(root, entries, data.masks)
    else:
        masks = find_masks(root, entries, sbd=data.sbd)
    values = mask_values(settings, root, classes)
    return masks if values is None else translated_masks(masks, values, out)


def mask_values(settings: Settings, root: Path, classes: Sequence[str]) -> Values | None:
    """Return what mask values mean, by the settings or a labelmap; None if they are the labels."""
    if settings.data.mask_values:
        return parse_values(settings.data.mask_values, classes)
    places = [root / LABELMAP]
    if settings.data.layout == "voc":
        places.append(voc_folder(root) / LABELMAP)
    found = next((path for path in places if path.is_file()), None)
    return None if found is None else read_labelmap(found, classes)


def _places(settings: Settings) -> Places:
    data = settings.data
    return Places(data.images, data.table, data.columns.model_dump())


def digest_of_labels(entries: Sequence[Entry]) -> str:
    """SHA-256 of the images' names and classes, which the maps depend on."""
    rows = [[entry.image_id, list(entry.classes)] for entry in entries]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
