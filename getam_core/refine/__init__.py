"""Refinement of maps by the image's own edges.

Reading order: `pamr` (tensors, any device, what GETAM uses for its labels), `crf` (NumPy, one
image at a time, for the final segmentation).
"""

from getam_core.refine.crf import dense_crf
from getam_core.refine.pamr import pamr

__all__ = ["dense_crf", "pamr"]
