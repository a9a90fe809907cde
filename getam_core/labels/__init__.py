"""Pseudo labels from maps and saliency (paper 4.2).

Reading order: `completion` (the two equations), `crf_labels` (the alternative),
`reliable` (AFA's two thresholds), `labelling` (from the maps of an image or a batch to labels),
`inputs` (what is read for an image), `export` (a data set, from stored maps).
"""

from getam_core.labels.completion import complete_labels
from getam_core.labels.crf_labels import crf_labels
from getam_core.labels.export import export_labels
from getam_core.labels.inputs import LabelInputs, read_label_inputs
from getam_core.labels.labelling import (
    label_image,
    label_images,
    label_refined,
    refine_maps,
    threshold_labels,
)
from getam_core.labels.reliable import by_image, scores_over

__all__ = [
    "LabelInputs",
    "by_image",
    "complete_labels",
    "crf_labels",
    "export_labels",
    "label_image",
    "label_images",
    "label_refined",
    "read_label_inputs",
    "refine_maps",
    "scores_over",
    "threshold_labels",
]
