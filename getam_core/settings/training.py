"""The section of training."""

from typing import Literal

from pydantic import Field, model_validator

from getam_core.settings.base import Count, Fraction, Positive, ScaleRange, Section
from getam_core.settings.labels import LabelSettings
from getam_core.settings.maps import TrainedMapSettings
from getam_core.settings.objective import (
    AfaSettings,
    DenseEnergySettings,
    GroupRates,
    LossWeights,
)


class TrainSettings(Section):
    """End-to-end training by GETAM's double backward or by AFA: at first only classification.

    Each step of GETAM's second half computes maps by a first backward pass, labels from the maps,
    and both losses (Sun et al. 2021, Section 4.3). AFA propagates the maps by an affinity of
    patches that it also learns. See docs/guides/afa.md.
    """

    method: Literal["getam", "afa"] = "getam"
    """Objective: GETAM's double backward, or AFA's (Ru et al. 2022). AFA reads the keys of `afa`
    instead of `classification_epochs`, `second_half_scale` and `losses`."""
    supervision: Literal["classes", "labels", "masks"] = "classes"
    """What GETAM's second half learns to segment from: labels that it makes from image-level
    classes; `label_maps`; or the ground truth, as the upper bound. The latter two use neither maps
    nor saliency, and give no pseudo labels and no report. `miou.json` says which was used."""
    label_maps: str | None = None
    """A `labels.h5` of the training images, for `supervision: labels`. The workflow makes
    `results/<other run>/pseudo_labels/labels.h5` if it is missing: two stages instead of one."""
    epochs: Count = 20
    """Number of epochs of both halves together."""
    classification_epochs: int = Field(10, ge=0)
    """Number of epochs of the first half. As many as `epochs` means that the decoder is not
    trained, and `miou.json` and the report have no segmentation."""
    batch_size: Count = 4
    """Number of crops in a step, over all GPUs."""
    accumulate: Count = 1
    """Number of parts of a batch, computed one after the other, for batches that do not fit into
    memory. Batch norms, dropout, stochastic depth and means over pixels then see one part. `gpus`
    times `accumulate` is at most `batch_size`."""
    crop_size: Count = 256
    """Side of a crop, px: a multiple of the network's stride. Also the long side at which class mAP
    is measured."""
    scale_range: ScaleRange = (230, 292)
    """Range of the random long side before an image is cropped, px. Smaller images are padded;
    padding is ignored."""
    precision: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    """Number format of the forward pass. `auto`: bfloat16 where the hardware multiplies it (GPUs
    from Ampere on, CPUs with AMX), float16 on older GPUs, float32 elsewhere. Parameters, losses and
    maps stay float32. float16 scales the loss and skips steps whose gradients overflow. GPUs
    without bfloat16 refuse it, and CPUs without it are slow."""
    compile: bool = False
    """Whether to use `torch.compile` for the CNN, the decoder and the blocks' MLPs; attention,
    which maps are made of, is not compiled. Needs a compiler, and minutes at the start."""
    deterministic: bool = False
    """Whether a GPU gives bit-identical results every time, which is slower
    (`torch.use_deterministic_algorithms`). An operation without a deterministic form fails with an
    error of torch that names it. A CPU does not need it."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """Optimizer. SGD has momentum 0.9."""
    learning_rate: GroupRates = GroupRates(stem=0.04, backbone=0.04, heads=0.04)
    """Highest learning rate: one number, or one for each of the three parameter groups."""
    second_half_scale: GroupRates = GroupRates(stem=0.1, backbone=0.1, heads=0.1)
    """Factor on the learning rate in the second half: one number, or one for each of the three
    parameter groups."""
    schedule: Literal["poly", "linear", "cosine"] = "poly"
    """How the learning rate falls: (1 - progress)^0.9 over the run; 1 - progress over the run
    (AFA); or a cosine that starts again with the second half."""
    warmup: Fraction = 0.0
    """Share of each fall of the schedule in which the learning rate first rises."""
    weight_decay: float = Field(5e-4, ge=0)
    """Weight decay of weights; biases and norms have none."""
    gradient_clip: Positive | None = None
    """Highest norm of the gradient. `null`: no limit."""
    losses: LossWeights = LossWeights()
    dense_energy: DenseEnergySettings = DenseEnergySettings()
    maps: TrainedMapSettings = TrainedMapSettings()
    labels: LabelSettings = LabelSettings()
    """How a crop is labelled."""
    afa: AfaSettings = AfaSettings()
    validate_every: Count = 1
    """Epochs between measurements of class mAP on val. The last epoch of each half is always
    measured."""
    checkpoint_minutes: Positive = 10.0
    """Minutes between saves of the training state. It is also saved after every epoch and when
    training is stopped."""
    keep_last: int = Field(0, ge=0)
    """Number of last epochs whose state is kept, as `state/train.epoch<number>.pt`."""
    keep_best: bool = False
    """Whether to keep the state of the epoch with the highest class mAP of the half that was
    trained last, as `state/train.best.pt`."""
    resume_from: str | None = None
    """State file to start from, if the run has none of its own. It must have been made by the same
    settings. `keep_last` does not delete it."""

    @property
    def segments(self) -> bool:
        """Whether the decoder is trained at all."""
        return self.method == "afa" or self.classification_epochs < self.epochs

    @property
    def uses_saliency(self) -> bool:
        """Whether training uses saliency: in labels that it makes, or in GETAM's saliency loss."""
        used = self.labels.uses_saliency if self.method == "afa" else self.labels.saliency
        return self.supervision == "classes" and used

    @model_validator(mode="after")
    def _label_maps_are_given(self) -> "TrainSettings":
        if self.supervision == "labels" and self.label_maps is None:
            raise ValueError("supervision: labels needs label_maps, a labels.h5")
        if self.supervision != "labels" and self.label_maps is not None:
            raise ValueError(f"label_maps needs supervision: labels, not {self.supervision}")
        if self.supervision != "classes" and self.method == "afa":
            raise ValueError(f"supervision: {self.supervision} needs method: getam")
        if self.supervision != "classes" and not self.segments:
            raise ValueError(
                f"supervision: {self.supervision} needs classification_epochs below epochs"
                f" ({self.epochs}): the first half does not train segmentation"
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
                " which is divided into that many parts"
            )
        return self
