"""A trained network as an ONNX file, with its normalisation, for any batch and size.

Shapes: B images, C foreground classes, (H, W) pixels.
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from getam_core.errors import InputError
from getam_core.extras import needs
from getam_core.files import atomic_path
from getam_core.inference.prediction import Predictor
from getam_core.segment.segmenter import Segmenter

OPSET = 18  # the first in which resizing can average over areas, as position embeddings need
TOLERANCE = 1e-4  # of onnxruntime's logits against torch's, relative to the largest, or to 1
CELLS = ((1, 8, 8), (2, 6, 9))  # batch, height and width in strides, at which they are compared
MOST_CELLS, MOST_IMAGES = 4096, 4096


class SingleStageLogits(nn.Module):
    """Images (B, 3, H, W), RGB 0..1 -> class logits (B, C), logits (B, C + 1, H, W)."""

    outputs = ("class_logits", "logits")

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network."""
        return self.network.classify_and_segment(images)


class DeepLabLogits(nn.Module):
    """Images (B, 3, H, W), RGB 0..1, sides 8 k + 1 -> logits (B, C + 1, H, W)."""

    outputs = ("logits",)

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        preprocessor = network.data_preprocessor
        self.register_buffer("mean", preprocessor.mean.clone())
        self.register_buffer("std", preprocessor.std.clone())

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Normalise, and run the network."""
        images = (255 * images - self.mean) / self.std
        meta = [{"img_shape": images.shape[-2:]}]
        return (self.network.encode_decode(images, meta),)


def export_onnx(checkpoint: Path | str, out: Path | str) -> str:
    """Write a network's ONNX file if onnxruntime agrees with torch; return a line about it.

    Parameters
    ----------
    checkpoint : Path or str
        A run's `train/checkpoint.pt` or `deeplabv2/checkpoint.pt`.
    out : Path or str
        The file. Its input `images` is (batch, 3, height, width) float32 RGB, 0..1; its metadata
        has `classes` (JSON, without the background), `stride` and `sides`.

    Raises
    ------
    InputError
        onnx, onnxruntime or onnxscript is missing; the file is no checkpoint; the results differ.
    """
    onnx, onnxruntime = _packages()
    segmenter = Segmenter.load(checkpoint, device="cpu")
    predictor = segmenter.predictor
    model = (DeepLabLogits if predictor.extra else SingleStageLogits)(predictor.network).eval()
    proto = _exported(model, predictor)
    sides = f"{predictor.step} k" + (f" + {predictor.extra}" if predictor.extra else "")
    about = {"classes": json.dumps(segmenter.classes), "stride": str(predictor.step)}
    onnx.helper.set_model_props(proto, about | {"sides": sides, "images": "RGB, 0..1"})
    content = proto.SerializeToString()
    difference = _difference(model, predictor, content, onnxruntime)
    if difference > TOLERANCE:
        raise InputError(
            f"{out}: not written, onnxruntime's results differ from torch's by {difference:.1e}"
            f" (at most {TOLERANCE:.0e} is allowed); try other versions of onnx and onnxruntime"
        )
    with atomic_path(out) as temporary:
        temporary.write_bytes(content)
    return (
        f"{out}: opset {OPSET}, any batch, sides of {sides} px; onnxruntime differs from torch by"
        f" {difference:.1e}"
    )


def _packages() -> tuple[ModuleType, ModuleType]:
    with needs("onnx", "the export to ONNX"):
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  (torch's exporter imports it)
    return onnx, onnxruntime


def _exported(model: nn.Module, predictor: Predictor) -> Any:
    """Return the ModelProto, with dynamic batch, height and width."""
    batch = Dim("batch", min=1, max=MOST_IMAGES)
    height, width = (
        predictor.step * Dim(name, min=2, max=MOST_CELLS) + predictor.extra
        for name in ("rows", "columns")
    )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's warnings about its own parts
        program = torch.onnx.export(
            model,
            (_images(predictor, CELLS[1]),),
            dynamo=True,
            dynamic_shapes=({0: batch, 2: height, 3: width},),
            input_names=["images"],
            output_names=model.outputs,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    return program.model_proto


def _images(predictor: Predictor, cells: Sequence[int]) -> Tensor:
    batch, *sides = cells
    height, width = (predictor.step * side + predictor.extra for side in sides)
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 3, height, width, generator=generator)


def _difference(
    model: nn.Module, predictor: Predictor, content: bytes, onnxruntime: ModuleType
) -> float:
    """Return the largest relative difference of any output at any of the sizes in `CELLS`."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    differences = []
    for cells in CELLS:
        images = _images(predictor, cells)
        with torch.no_grad():
            expected = model(images)
        for found, right in zip(
            session.run(None, {"images": images.numpy()}), expected, strict=True
        ):
            largest = max(1.0, float(right.abs().max()))
            differences.append(float((torch.from_numpy(found) - right).abs().max()) / largest)
    return max(differences)
