"""A trained network on new pictures: in Python, as a command, as an ONNX file.

Reading order: `segmenter` (a checkpoint that segments pictures), `pictures` (which ones),
`results` (what is written for each), `folder` (one after another), `command`
(`python -m getam_core.segment PICTURE... --model FILE -o FOLDER`), `onnx_file`.
"""

from typing import TYPE_CHECKING

from getam_core.on_demand import imported_on_demand

if TYPE_CHECKING:
    from getam_core.segment.segmenter import Segmentation, Segmenter

__all__ = ["Segmentation", "Segmenter"]

__getattr__ = imported_on_demand(__name__, dict.fromkeys(__all__, "segmenter"))
