"""Pseudo labels from maps and saliency (paper 4.2).

Reading order: `completion` (the two equations), `labelling` (refinement and completion of one
image, as training and the export do it), `export` (a data set, from stored maps).
"""

from getam_core.labels.completion import complete_labels
from getam_core.labels.export import export_labels
from getam_core.labels.labelling import label_image

__all__ = ["complete_labels", "export_labels", "label_image"]
