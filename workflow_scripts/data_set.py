"""Which reader a run's layout has, for images and, in evaluation, for masks."""

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
)
from getam_core.evaluation import coco_masks, find_masks, folder_masks, voc_mask_labels
from getam_core.settings import Settings


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
            places=Places(data.images, data.table, data.columns.model_dump()),
        )
    if data.layout == "coco":
        return list_coco(root, splits, data.classes)
    labels_of = voc_mask_labels(root, data.classes, data.sbd) if data.labels == "masks" else None
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
    """Name the masks of a split in the run's layout; those of COCO are rendered into `out`."""
    data = settings.data
    if data.layout == "folder":
        return folder_masks(root, entries)
    if data.layout == "coco":
        name = {"train": data.train, "val": data.val}[split]
        return coco_masks(root, name, entries, classes, out, workers=workers)
    return find_masks(root, entries, sbd=data.sbd)
