"""The one room where masks are opened: what maps, labels and predictions are worth.

Reading order: `masks` (ground truth), `confusion` (the figure: one matrix over the set),
`label_maps` and `seeds` (stores against masks), `classification`, `inference` (the segmentation of
one image), `entries` (what miou.json says).
"""

from getam_core.evaluation.classification import average_precision, mean_average_precision
from getam_core.evaluation.confusion import ConfusionMatrix
from getam_core.evaluation.entries import label_entry, merge_entries, seed_entry
from getam_core.evaluation.inference import segment_image
from getam_core.evaluation.label_maps import evaluate_label_maps
from getam_core.evaluation.masks import (
    check_masks,
    find_masks,
    read_mask,
    read_mask_index,
    write_mask_index,
)
from getam_core.evaluation.seeds import THRESHOLDS, seed_curve

__all__ = [
    "THRESHOLDS",
    "ConfusionMatrix",
    "average_precision",
    "check_masks",
    "evaluate_label_maps",
    "find_masks",
    "label_entry",
    "mean_average_precision",
    "merge_entries",
    "read_mask",
    "read_mask_index",
    "seed_curve",
    "seed_entry",
    "segment_image",
    "write_mask_index",
]
