"""The sections of retraining: DeepLabv2 on pseudo labels, and how it is tested."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from getam_core.settings.base import Ascending, Count, Positive, Section


class DeepLabSettings(Section):
    """Retraining of DeepLabv2 on stored label maps (Chen et al. 2018; Sun et al. 2021, 5.2.3).

    Only on request: `deeplabv2/miou.json`, or `evaluate.deeplabv2`. See docs/guides/deeplabv2.md.
    """

    supervision: Literal["labels", "masks"] = "labels"
    """What DeepLabv2 learns from: label maps; or the ground truth of the training images, as the
    upper bound. Every figure says which."""
    labels: str | None = None
    """Another `labels.h5` of the training images, such as another run's, as in `train.label_maps`.
    `null`: the run's own pseudo labels."""
    depth: Literal[18, 50, 101] = 101
    """Layers of the ResNet."""
    width: Count = 64
    """Channels of the ResNet's first stage. Only 64 has pretrained weights."""
    weights: str | None = "hub"
    """Initial weights: `hub` for torchvision's ImageNet weights from timm's hub; `hub:NAME` for
    another timm model of this depth; a safetensors or torch file; or `null` for random."""
    weights_trained_on: Literal["imagenet", "other", "masks"] = "imagenet"
    """What the initial weights were trained on. `imagenet` is checked: they must have a classifier
    of 1,000 classes and no part of a segmentation network. `other` accepts weights without a
    classifier, `masks` also those of segmentation networks. Every figure says which."""
    batch_norm: Literal["frozen", "trained"] = "frozen"
    """`frozen` keeps the statistics and parameters of the initial weights. Random weights need
    `trained`."""
    dilations: Annotated[tuple[Count, ...], Field(min_length=1)] = (6, 12, 18, 24)
    """Dilations of the 3 x 3 classifiers whose sum is the output, in cells of the features at
    stride 8."""
    iterations: Count = 20_000
    """Number of training steps."""
    batch_size: Count = 10
    """Number of crops in a step, over all GPUs."""
    crop_size: Count = 321
    """Side of a crop, px: a multiple of 8, plus 1. Smaller images are padded; padding is
    ignored."""
    scale_range: Annotated[tuple[Positive, Positive], Ascending] = (0.5, 1.5)
    """Range of the random factor on an image's sides before it is cropped."""
    learning_rate: Positive = 2.5e-4
    """Highest learning rate of the backbone (SGD, momentum 0.9, poly 0.9)."""
    head_rate: Positive = 10.0
    """Factor on the learning rate for the classifiers."""
    weight_decay: float = Field(5e-4, ge=0)
    """Weight decay of all parameters."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """Number format of the forward pass. `auto`: bfloat16 where the hardware multiplies it, float32
    elsewhere."""
    checkpoint_minutes: Positive = 10.0
    """Minutes between saves of the training state. It is also saved when training is stopped."""

    @field_validator("crop_size")
    @classmethod
    def _aligned(cls, side: int) -> int:
        if side % 8 != 1:
            raise ValueError(f"expected a multiple of 8, plus 1: {side // 8 * 8 + 1}, for example")
        return side

    @model_validator(mode="after")
    def _one_source_of_labels(self) -> "DeepLabSettings":
        if self.supervision == "masks" and self.labels is not None:
            raise ValueError("labels must be null with supervision: masks")
        return self

    @model_validator(mode="after")
    def _batch_norm_has_statistics(self) -> "DeepLabSettings":
        if self.weights is None and self.batch_norm == "frozen":
            raise ValueError("weights: null needs batch_norm: trained; there is nothing to freeze")
        if self.weights is not None and self.width != 64:
            raise ValueError("weights must be null unless width is 64")
        return self


class DeepLabTestSettings(Section):
    """The retrained network at test time."""

    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (
        0.5, 0.75, 1.0, 1.25, 1.5, 1.75,
    )  # fmt: skip
    """Factors on the image's sides. The class probabilities are averaged. Sides are rounded to a
    multiple of 8, plus 1."""
    flip: bool = True
    """Whether to average with the mirrored image."""
    crf: bool = True
    """Whether to score the labels also after a dense CRF with the authors' test settings."""
