"""Parts of the section of training: rates by parameter group, and the terms of the objective."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from getam_core.settings.base import Count, Distinct, Positive, Section


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
    dense_energy: float = Field(0.0, ge=0)


class DenseEnergySettings(Section):
    """The kernel of the dense energy: deviations in grey levels and pixels; share of the size."""

    sigma_rgb: Positive = 15.0
    sigma_xy: Positive = 100.0
    scale: float = Field(0.5, gt=0, le=1)


class AfaLossWeights(Section):
    """Weights of the terms of AFA's objective (Ru et al. 2022, Section 3.5)."""

    classification: float = Field(1.0, ge=0)
    segmentation: float = Field(0.1, ge=0)
    affinity: float = Field(0.1, ge=0)


class AfaSettings(Section):
    """AFA's own: what is learnt until which iteration, the window, the views of its maps."""

    classification_iterations: int = Field(2000, ge=0)
    propagation_iterations: int = Field(6000, ge=0)
    radius: Count = 8
    scales: Annotated[tuple[Positive, ...], Distinct, Field(min_length=1)] = (1.0, 0.5, 1.5)
    flip: bool = True
    losses: AfaLossWeights = AfaLossWeights()

    @model_validator(mode="after")
    def _in_order(self) -> "AfaSettings":
        if self.propagation_iterations < self.classification_iterations:
            raise ValueError(
                f"propagation_iterations ({self.propagation_iterations}) must not be below"
                f" classification_iterations ({self.classification_iterations})"
            )
        return self
