"""The sections of a run's settings, with their defaults.

Sections are the stages of the workflow: a stage reruns exactly when its own sections change
(`Settings.select`), but for the keys of `SAVING`. `config/README.md` explains every key.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from getam_core.settings.base import (
    Count,
    Distinct,
    Exponent,
    Fraction,
    Positive,
    ScaleRange,
    Section,
)
from getam_core.settings.data import DataSettings, SubmissionSettings
from getam_core.settings.deeplab import DeepLabSettings, DeepLabTestSettings
from getam_core.settings.networks import ClassifierSettings, EncoderSettings, ModelSettings
from getam_core.settings.objective import (
    AfaSettings,
    DenseEnergySettings,
    GroupRates,
    LossWeights,
)

Method = Literal[
    "getam", "attention_gradient", "grad_cam", "ts_cam", "cam_ignore", "cam_add", "cnn_cam", "afa"
]
METHOD_NAMES: tuple[Method, ...] = get_args(Method)
CLASSIFIERS = {"ts_cam": "ts_cam", "cnn_cam": "cnn"}  # methods with a network of their own
SWEEPS = ("alpha", "gamma", "refinement", "completion")
# When states of a training are saved, and from which it starts; not what is trained.
SAVING = {
    "train": {"checkpoint_minutes", "keep_last", "keep_best", "resume_from"},
    "deeplab": {"checkpoint_minutes"},
}


class SaliencySettings(Section):
    """Class-agnostic saliency maps: from a network, a folder of maps, rembg, or none at all."""

    source: Literal["network", "precomputed", "rembg", "none"] = "network"
    folder: str | None = None
    rembg_model: str = "u2net"
    images: str | None = None
    encoder: EncoderSettings = EncoderSettings()
    width: Count = 64
    size: Count = 224
    scale_range: ScaleRange = (224, 288)
    epochs: Count = 20
    batch_size: Count = 8
    learning_rate: Positive = 1e-3
    encoder_rate: Positive = 0.1
    held_out: float = Field(0.1, gt=0, lt=1)


class GetamSettings(Section):
    """GETAM's readings (docs/decisions.md): coupling of Eq. 2, the blocks, and their fusion."""

    coupling: Literal["per_head", "head_mean"] = "per_head"
    blocks: int | None = Field(None, ge=1, description="the last n blocks; null for all")
    fusion: Literal["sum", "product", "matrix"] = "sum"


class TrainedMapSettings(GetamSettings):
    """The maps of the second half: GETAM's, or those of a method that it is compared with."""

    method: Method = "getam"

    @property
    def arguments(self) -> dict[str, Any]:
        """What the method takes of them."""
        own = {"getam": {"coupling", "blocks", "fusion"}, "attention_gradient": {"blocks"}}
        return self.model_dump(include=own.get(self.method, set()))


class ExportedGetamSettings(GetamSettings):
    """The same for the export, which can keep what is summed."""

    store_blocks: bool = False

    @model_validator(mode="after")
    def _blocks_of_a_sum(self) -> "ExportedGetamSettings":
        if self.store_blocks and self.fusion != "sum":
            raise ValueError("store_blocks keeps the terms of a sum: set fusion to sum, or it off")
        return self


class LabelSettings(Section):
    """From maps to a label map: refinement, then completion (Sun et al. 2021, Eq. 4 and 5)."""

    method: Literal["completion", "crf", "thresholds"] = "completion"
    refinement: Literal["pamr", "par", "crf", "none"] = "pamr"
    iterations: Count = 10
    scale: float = Field(1.0, gt=0, le=1)
    gamma: Exponent = 32.0
    alpha: Fraction = 0.9
    conflicts: bool = True
    opening: int = Field(0, ge=0)
    saliency: bool = True
    saliency_threshold: Fraction = 0.5
    thresholds: tuple[Fraction, Fraction] = (0.55, 0.35)
    crf_gammas: tuple[Exponent, Exponent] = (32.0, 1000.0)

    @property
    def uses_saliency(self) -> bool:
        """Whether a label map is made of saliency too."""
        return self.saliency and self.method == "completion"

    @model_validator(mode="after")
    def _two_thresholds(self) -> "LabelSettings":
        high, low = self.thresholds
        if high < low:
            raise ValueError(f"thresholds ({high}, {low}): expected the high one first")
        if self.method == "thresholds" and self.refinement == "crf":
            raise ValueError("method: thresholds refines by par, pamr or none, not by crf")
        return self


class TrainSettings(Section):
    """End-to-end training by GETAM's double backward or by AFA: first classification alone."""

    method: Literal["getam", "afa"] = "getam"
    supervision: Literal["classes", "labels", "masks"] = "classes"
    label_maps: str | None = None
    epochs: Count = 20
    classification_epochs: int = Field(10, ge=0)
    batch_size: Count = 4
    accumulate: Count = 1
    crop_size: Count = 256
    scale_range: ScaleRange = (230, 292)
    precision: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    compile: bool = False
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: GroupRates = GroupRates(stem=0.04, backbone=0.04, heads=0.04)
    second_half_scale: GroupRates = GroupRates(stem=0.1, backbone=0.1, heads=0.1)
    schedule: Literal["poly", "linear", "cosine"] = "poly"
    warmup: Fraction = 0.0
    weight_decay: float = Field(5e-4, ge=0)
    gradient_clip: Positive | None = None
    losses: LossWeights = LossWeights()
    dense_energy: DenseEnergySettings = DenseEnergySettings()
    maps: TrainedMapSettings = TrainedMapSettings()
    labels: LabelSettings = LabelSettings()
    afa: AfaSettings = AfaSettings()
    validate_every: Count = 1
    checkpoint_minutes: Positive = 10.0
    keep_last: int = Field(0, ge=0)
    keep_best: bool = False
    resume_from: str | None = None

    @property
    def segments(self) -> bool:
        """Whether the decoder is trained at all."""
        return self.method == "afa" or self.classification_epochs < self.epochs

    @property
    def uses_saliency(self) -> bool:
        """Whether labels are made, and of saliency too; in GETAM's it has a loss of its own."""
        used = self.labels.uses_saliency if self.method == "afa" else self.labels.saliency
        return self.supervision == "classes" and used

    @model_validator(mode="after")
    def _label_maps_are_given(self) -> "TrainSettings":
        if self.supervision == "labels" and self.label_maps is None:
            raise ValueError("supervision: labels needs label_maps, a labels.h5")
        if self.supervision != "labels" and self.label_maps is not None:
            raise ValueError(f"label_maps needs supervision: labels, not {self.supervision}")
        if self.supervision != "classes" and self.method == "afa":
            raise ValueError(f"supervision: {self.supervision} has steps of its own: method: getam")
        if self.supervision != "classes" and not self.segments:
            raise ValueError(
                f"supervision: {self.supervision} needs classification_epochs below epochs"
                f" ({self.epochs}): the first half does not segment"
            )
        return self

    @model_validator(mode="after")
    def _halves(self) -> "TrainSettings":
        if self.method == "getam" and self.classification_epochs > self.epochs:
            raise ValueError(
                f"classification_epochs ({self.classification_epochs}) must not exceed"
                f" epochs ({self.epochs})"
            )
        return self

    @model_validator(mode="after")
    def _parts(self) -> "TrainSettings":
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"accumulate ({self.accumulate}) must not exceed batch_size ({self.batch_size}),"
                " which is divided into so many parts"
            )
        return self


class MapSettings(Section):
    """The export of maps by any method: long side in px (null is native), scaled, mirrored."""

    size: Count | None = None
    scales: Annotated[tuple[Positive, ...], Distinct, Field(min_length=1)] = (1.0,)
    flip: bool = True
    affinity: Count | None = None


class PredictSettings(Section):
    """Test-time settings of the segmentation head; a size is a long side in px, null is native."""

    sizes: Annotated[tuple[Count | None, ...], Field(min_length=1)] = (None,)
    flip: bool = True
    crf: bool = False
    crf_recipe: Literal["getam", "afa"] = "getam"


class EvaluateSettings(Section):
    """What `miou.json` compares beside pseudo labels and predictions."""

    seeds: Annotated[tuple[Method, ...], Distinct] = ("getam", "grad_cam", "cam_ignore")
    deeplabv2: bool = False


class AblationSettings(Section):
    """Grids of the sweeps over stored maps; all other keys are those of `pseudo_labels`."""

    alpha: Annotated[tuple[Fraction, ...], Distinct, Field(min_length=1)] = (
        0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0,
    )  # fmt: skip
    gamma: Annotated[tuple[Exponent, ...], Distinct, Field(min_length=1)] = (
        2, 8, 32, 128, 512, 2048, 8192,
    )  # fmt: skip
    images: Count | None = None


class Settings(Section):
    """A run, whole: what `config/<run>.yaml` and `--config` may set."""

    data_root: Path | None = None
    title: str | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpus: Count = 1
    seed: int = Field(0, ge=0)
    shard_size: Count = 2000
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    classifiers: ClassifierSettings = ClassifierSettings()
    saliency: SaliencySettings = SaliencySettings()
    train: TrainSettings = TrainSettings()
    maps: MapSettings = MapSettings()
    getam: ExportedGetamSettings = ExportedGetamSettings()
    pseudo_labels: LabelSettings = LabelSettings()
    predict: PredictSettings = PredictSettings()
    submission: SubmissionSettings = SubmissionSettings()
    deeplab: DeepLabSettings = DeepLabSettings()
    deeplab_test: DeepLabTestSettings = DeepLabTestSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    ablation: AblationSettings = AblationSettings()

    @property
    def own_method(self) -> Method:
        """The method whose maps of the run's own network become the exported labels."""
        if self.train.method == "afa":
            return self.train.maps.method
        return "cnn_cam" if self.model.name is None else "getam"

    @model_validator(mode="before")
    @classmethod
    def _labels_without_saliency(cls, values: Any) -> Any:
        """Let `saliency.source: none` say for both kinds of labels that they have no saliency."""
        if not isinstance(values, dict) or _source(values) != "none":
            return values
        train = values.get("train") or {}
        if not isinstance(train, dict):
            return values
        train = train | {"labels": _without_saliency(train.get("labels"), "train.labels")}
        own = _without_saliency(values.get("pseudo_labels"), "pseudo_labels")
        return values | {"train": train, "pseudo_labels": own}

    @model_validator(mode="after")
    def _crops_for_all(self) -> "Settings":
        parts = self.gpus * self.train.accumulate
        if parts > self.train.batch_size:
            raise ValueError(
                f"train.batch_size ({self.train.batch_size}) has no crop for each of gpus x"
                f" train.accumulate ({self.gpus} x {self.train.accumulate})"
            )
        return self

    def select(self, *sections: str) -> str:
        """Return the named sections as JSON with sorted keys: what one stage depends on."""
        chosen = self.model_dump(mode="json", include=set(sections), exclude=SAVING)
        return json.dumps(chosen, sort_keys=True)

    def saving(self, section: str) -> str:
        """Return the keys of a section that `select` leaves out, in the same form."""
        chosen = self.model_dump(mode="json", include={section: SAVING[section]})
        return json.dumps(chosen, sort_keys=True)


def _source(values: dict[str, Any]) -> Any:
    saliency = values.get("saliency")
    return saliency.get("source") if isinstance(saliency, dict) else None


def _without_saliency(labels: Any, section: str) -> Any:
    labels = labels or {}
    if not isinstance(labels, dict):
        return labels
    if labels.get("saliency"):
        raise ValueError(f"{section}.saliency is true, but saliency.source is none")
    return labels | {"saliency": False}
