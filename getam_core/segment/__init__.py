"""A trained network on new pictures: in Python, as a command, as an ONNX file.

Reading order: `segmenter` (a checkpoint that segments pictures), `pictures` (which ones),
`results` (what is written of each), `folder` (one after another), `__main__`
(`python -m getam_core.segment PICTURE... --model FILE -o FOLDER`), `onnx_file`.
"""

from getam_core.segment.segmenter import Segmentation, Segmenter

__all__ = ["Segmentation", "Segmenter"]
