"""The sections of retraining: DeepLabv2 on pseudo labels, and how it is tested."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from getam_core.settings.base import Ascending, Count, Positive, Section


class DeepLabSettings(Section):
    """Retraining of DeepLabv2 (Chen et al. 2018; Sun et al. 2021, 5.2.3) on stored label maps."""

    supervision: Literal["labels", "masks"] = "labels"
    labels: str | None = None
    depth: Literal[18, 50, 101] = 101
    width: Count = 64
    weights: str | None = "hub"
    weights_trained_on: Literal["imagenet", "other", "masks"] = "imagenet"
    batch_norm: Literal["frozen", "trained"] = "frozen"
    dilations: Annotated[tuple[Count, ...], Field(min_length=1)] = (6, 12, 18, 24)
    iterations: Count = 20_000
    batch_size: Count = 10
    crop_size: Count = 321
    scale_range: Annotated[tuple[Positive, Positive], Ascending] = (0.5, 1.5)
    learning_rate: Positive = 2.5e-4
    head_rate: Positive = 10.0
    weight_decay: float = Field(5e-4, ge=0)
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    checkpoint_minutes: Positive = 10.0

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
            raise ValueError("weights: null needs batch_norm: trained, there is nothing to freeze")
        if self.weights is not None and self.width != 64:
            raise ValueError("weights must be null where width is not 64")
        return self


class DeepLabTestSettings(Section):
    """Test-time settings of the retrained network; a scale is a factor on an image's sides."""

    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (
        0.5, 0.75, 1.0, 1.25, 1.5, 1.75,
    )  # fmt: skip
    flip: bool = True
    crf: bool = True
