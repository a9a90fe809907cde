"""What a training is asked to do; `loop` does it."""

from dataclasses import dataclass, field

from getam_core.training.dense_energy import DenseEnergy
from getam_core.training.objective import Labelling


@dataclass(frozen=True)
class Plan:
    """How long and how to train; rates and scales are by parameter group."""

    epochs: int
    classification_epochs: int
    batch_size: int
    optimizer: str
    learning_rate: dict[str, float]
    second_half_scale: dict[str, float]
    schedule: str
    warmup: float
    weight_decay: float
    gradient_clip: float | None
    precision: str
    loss_weights: dict[str, float]
    labelling: Labelling
    saliency_threshold: float | None  # None: labels and loss without saliency
    energy: DenseEnergy = field(default_factory=DenseEnergy)
    accumulate: int = 1  # parts of a batch, one after the other
    seed: int = 0
    validate_every: int = 1
    checkpoint_minutes: float = 10.0
