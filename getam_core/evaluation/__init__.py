"""The only package that opens masks: scores of maps, labels and predictions.

Reading order: `masks` (ground truth; with `coco_masks`, which are rendered, and `mask_labels`),
`confusion` (the figure: one matrix over the set), `label_maps` and `seeds` (stores against masks),
`counts` (of shards, in files), `entries` (what miou.json says), `comparison` (runs against each
other, and against `published` figures), `submission` (for VOC's evaluation server).

`ablation` (label settings against each other) is imported by name: importing torch takes longer
than many stages do.
"""

from getam_core.average_precision import average_precision, mean_average_precision
from getam_core.evaluation.coco_masks import coco_masks
from getam_core.evaluation.comparison import compare_runs
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.evaluation.counts import read_counts, write_counts
from getam_core.evaluation.entries import (
    label_entry,
    merge_entries,
    rank_maps,
    retrained_entry,
    seed_entry,
)
from getam_core.evaluation.label_maps import evaluate_label_maps, write_confusion, write_mious
from getam_core.evaluation.mask_labels import voc_mask_labels
from getam_core.evaluation.mask_values import translated_masks
from getam_core.evaluation.masks import (
    check_masks,
    find_masks,
    folder_masks,
    masks_of,
    read_mask,
    read_mask_index,
    write_mask_index,
)
from getam_core.evaluation.mvtec_masks import mvtec_masks
from getam_core.evaluation.published import published_figures
from getam_core.evaluation.seeds import THRESHOLDS, seed_curve
from getam_core.evaluation.submission import write_submission

__all__ = [
    "THRESHOLDS",
    "ConfusionMatrix",
    "average_precision",
    "check_masks",
    "coco_masks",
    "compare_runs",
    "evaluate_label_maps",
    "find_masks",
    "folder_masks",
    "label_entry",
    "masks_of",
    "mean_average_precision",
    "merge_entries",
    "mvtec_masks",
    "published_figures",
    "rank_maps",
    "read_counts",
    "read_mask",
    "read_mask_index",
    "retrained_entry",
    "seed_curve",
    "seed_entry",
    "translated_masks",
    "voc_mask_labels",
    "write_confusion",
    "write_counts",
    "write_mask_index",
    "write_mious",
    "write_submission",
]
