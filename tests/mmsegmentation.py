"""Parts of mmsegmentation that ours are compared with, imported after the module that allows it."""

from getam_core.networks import openmmlab  # noqa: F401  (without it mmseg.models cannot be imported)

# isort: split
from mmseg.evaluation import IoUMetric
from mmseg.models import SegTTAModel
from mmseg.structures import SegDataSample

__all__ = ["IoUMetric", "SegDataSample", "SegTTAModel"]
