"""The sections of the networks: a CNN stem, the saliency encoder, the segmentation network."""

from typing import Any, Literal

from pydantic import Field, model_validator

from getam_core.classes import IMAGENET_MEAN, IMAGENET_STD
from getam_core.settings.base import Count, Positive, Section


class StemSettings(Section):
    """A CNN whose feature maps feed a transformer or a decoder."""

    name: str
    library: Literal["timm", "torchvision"] = "timm"
    weights: str | None = None
    max_stride: Literal[8, 16, 32] = 16
    dilated: bool = False
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD
    bgr: bool = False
    pad: int = Field(0, ge=0)
    feature_scale: Positive | tuple[Positive, ...] = 1.0


class ModelSettings(Section):
    """The network: a timm VisionTransformer, a CNN, or one on the other; and a DPT decoder."""

    name: str | None = "vit_base_patch16_384"
    image_size: Count = 256
    options: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = "hub"
    stem: StemSettings | None = None
    decoder_width: Count = 256
    decoder_stride: Literal[2, 4, 8] = 4
    decoder_kernel: Literal[1, 3] = 3
    taps: tuple[int, ...] | None = None
    readout: Literal["project", "add", "ignore"] = "project"
    head: Literal["class", "pooled", "ts_cam", "max_pooled"] = "class"
    affinity_blocks: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> "ModelSettings":
        if self.stem is not None and self.weights is not None:
            raise ValueError("weights must be null beside a stem, which has weights of its own")
        return self

    @model_validator(mode="after")
    def _a_mix_transformer(self) -> "ModelSettings":
        if self.name is None or not self.name.startswith("mit_b"):
            return self
        if self.head != "max_pooled" or self.stem is not None:
            raise ValueError(f"{self.name} is AFA's: set head to max_pooled, stem to null")
        if self.weights == "hub":
            raise ValueError(f"{self.name} has no hub: weights is a file, {self.name}.pth, or null")
        return self

    @model_validator(mode="after")
    def _a_backbone(self) -> "ModelSettings":
        if self.name is not None:
            return self
        if self.stem is None:
            raise ValueError("name is null, so the CNN of stem is the backbone: name one there")
        if self.options or self.taps is not None or self.head != "class":
            raise ValueError("options, taps and head are of a transformer, and name is null")
        return self


class ClassifierSettings(Section):
    """Networks that are trained to classify, for the methods that the run's own cannot serve.

    CNN CAM takes `cnn`, null for the model's stem; TS-CAM the run's network with another head.
    """

    cnn: StemSettings | None = None


class EncoderSettings(StemSettings):
    """The encoder of the saliency network."""

    name: str = "resnet18"
    weights: str | None = "hub"
    max_stride: Literal[8, 16, 32] = 32
