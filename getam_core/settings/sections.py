"""The sections of a run's settings; every default stands here and nowhere else.

Sections are the stages of the workflow: a stage reruns exactly when its own sections change
(`Settings.select`). `config/README.md` explains every key.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from getam_core.classes import VOC_CLASSES

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
ScaleRange = Annotated[tuple[Count, Count], Field(description="shortest and longest long side, px")]
METHOD_NAMES = ("getam", "grad_cam", "cam_ignore")
Method = Literal["getam", "grad_cam", "cam_ignore"]


class Section(BaseModel):
    """A group of keys: unknown keys are refused, values are checked, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class SceneSettings(Section):
    """Made scenes: how many, how large, and the seed that makes them."""

    train: Count = 2000
    val: Count = 200
    salient: Count = 1000
    size: int = Field(96, ge=32)
    seed: int = 0


class DataSettings(Section):
    """Where images and image-level labels come from."""

    layout: Literal["voc", "scenes"] = "voc"
    classes: tuple[str, ...] = VOC_CLASSES
    train: str = "train"
    val: str = "val"
    scenes: SceneSettings = SceneSettings()

    @field_validator("classes")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not 1 <= len(names) <= 254 or len(set(names)) != len(names):
            raise ValueError("expected 1 to 254 different class names")
        return names


class StemSettings(Section):
    """A CNN whose feature maps feed a transformer or a decoder."""

    name: str
    library: Literal["timm", "torchvision"] = "timm"
    weights: str | None = None
    max_stride: Literal[8, 16, 32] = 16
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    bgr: bool = False
    pad: int = Field(0, ge=0)
    feature_scale: Positive | tuple[Positive, ...] = 1.0


class ModelSettings(Section):
    """The network: a timm VisionTransformer, optionally on a CNN stem, and a DPT decoder."""

    name: str = "vit_base_patch16_384"
    image_size: Count = 256
    options: dict[str, Any] = {}
    weights: str | None = "hub"
    stem: StemSettings | None = None
    decoder_width: Count = 256
    decoder_stride: Literal[2, 4, 8] = 4
    decoder_kernel: Literal[1, 3] = 3
    taps: tuple[int, ...] | None = None
    readout: Literal["project", "add", "ignore"] = "project"


class SaliencySettings(Section):
    """Class-agnostic saliency maps: a folder of maps, or a network trained on images and masks."""

    source: Literal["network", "precomputed"] = "network"
    folder: str | None = None
    images: str | None = None
    encoder: StemSettings = StemSettings(name="resnet18", weights="hub", max_stride=32)
    width: Count = 64
    size: Count = 224
    scale_range: ScaleRange = (224, 288)
    epochs: Count = 20
    batch_size: Count = 8
    learning_rate: Positive = 1e-3
    encoder_rate: Positive = 0.1
    held_out: float = Field(0.1, gt=0, lt=1)


class MapSettings(Section):
    """GETAM's readings (docs/decisions.md): coupling of Eq. 2 and the blocks that are summed."""

    coupling: Literal["per_head", "head_mean"] = "per_head"
    blocks: int | None = Field(None, ge=1, description="the last n blocks; null for all")


class LabelSettings(Section):
    """From maps to a label map: refinement, then completion (Sun et al. 2021, Eq. 4 and 5)."""

    refinement: Literal["pamr", "none"] = "pamr"
    iterations: Count = 10
    scale: float = Field(1.0, gt=0, le=1)
    gamma: float = Field(32.0, ge=1)
    alpha: Fraction = 0.9
    conflicts: bool = True
    opening: int = Field(0, ge=0)
    saliency: bool = True
    saliency_threshold: Fraction = 0.5


class GroupRates(Section):
    """One number for each parameter group; a plain number means the same for all three."""

    stem: float = Field(ge=0)
    backbone: float = Field(ge=0)
    heads: float = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _same_for_all(cls, value: Any) -> Any:
        if isinstance(value, (int, float, str)):
            return dict.fromkeys(("stem", "backbone", "heads"), value)
        return value


class LossWeights(Section):
    """Weights of the terms of the objective (Sun et al. 2021, Section 4.3)."""

    classification: float = Field(1.0, ge=0)
    foreground: float = Field(1.0, ge=0)
    background: float = Field(1.0, ge=0)
    saliency: float = Field(1.0, ge=0)


class TrainSettings(Section):
    """Double-backward training: a classification half, then classification and segmentation."""

    epochs: Count = 20
    classification_epochs: int = Field(10, ge=0)
    batch_size: Count = 4
    crop_size: Count = 256
    scale_range: ScaleRange = (230, 292)
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: GroupRates = GroupRates(stem=0.04, backbone=0.04, heads=0.04)
    second_half_scale: GroupRates = GroupRates(stem=0.1, backbone=0.1, heads=0.1)
    schedule: Literal["poly", "cosine"] = "poly"
    warmup: Fraction = 0.0
    weight_decay: float = Field(5e-4, ge=0)
    gradient_clip: Positive | None = None
    losses: LossWeights = LossWeights()
    maps: MapSettings = MapSettings()
    labels: LabelSettings = LabelSettings(opening=10)
    validate_every: Count = 1
    checkpoint_minutes: Positive = 10.0

    @model_validator(mode="after")
    def _halves(self) -> "TrainSettings":
        if self.classification_epochs > self.epochs:
            raise ValueError(
                f"classification_epochs ({self.classification_epochs}) must not exceed"
                f" epochs ({self.epochs})"
            )
        return self


class GetamSettings(MapSettings):
    """The export of maps from the trained network; size and flip hold for every method."""

    size: Count | None = None
    flip: bool = True


class PredictSettings(Section):
    """Test-time settings of the segmentation head; a size is a long side in px, null is native."""

    sizes: tuple[Count | None, ...] = (None,)
    flip: bool = True
    crf: bool = False


class EvaluateSettings(Section):
    """What `miou.json` compares beside pseudo labels and predictions."""

    seeds: tuple[Method, ...] = METHOD_NAMES


class Settings(Section):
    """A run, whole: what `config/<run>.yaml` and `--config` may set."""

    data_root: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    saliency: SaliencySettings = SaliencySettings()
    train: TrainSettings = TrainSettings()
    getam: GetamSettings = GetamSettings()
    pseudo_labels: LabelSettings = LabelSettings()
    predict: PredictSettings = PredictSettings()
    evaluate: EvaluateSettings = EvaluateSettings()

    def select(self, *sections: str) -> str:
        """Return the named sections as JSON with sorted keys: what one stage depends on."""
        return self.model_dump_json(include=set(sections))

    def path(self, text: str | None) -> Path | None:
        """Resolve a path of the settings, in which `{data_root}` stands for the data root."""
        if text is None:
            return None
        return Path(text.replace("{data_root}", str(self.data_root)))

    def weights(self, text: str | None) -> Path | str | None:
        """Resolve a source of initial weights: "hub" as it is, a file, or None for random ones."""
        return text if text == "hub" else self.path(text)
