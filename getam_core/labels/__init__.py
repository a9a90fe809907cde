"""Pseudo labels from maps and saliency (paper 4.2).

Reading order: `completion` (the two equations), `labelling` (refinement and completion of one
image, as training and the export do it).
"""

from getam_core.labels.completion import complete_labels
from getam_core.labels.labelling import label_image

__all__ = ["complete_labels", "label_image"]
