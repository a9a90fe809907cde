"""Refinement of maps by the image's own edges.

Reading order: `neighbours` (what the next two share), `pamr` (tensors, any device, what GETAM uses
for its labels), `par` (AFA's weights), `crf` (NumPy, one image at a time; the final segmentation,
and labels), `affinity` (AFA's learned affinity: targets, loss, propagation).
"""

from getam_core.refine.crf import crf_label_map, crf_maps, dense_crf
from getam_core.refine.pamr import pamr
from getam_core.refine.par import par

__all__ = ["crf_label_map", "crf_maps", "dense_crf", "pamr", "par"]
