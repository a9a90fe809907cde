"""Parts of the section of training: rates by parameter group, and the terms of the objective."""

from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from getam_core.settings.base import Count, Distinct, Positive, Section


class GroupRates(Section):
    """One number for each parameter group; a plain number means the same for all three."""

    stem: float = Field(ge=0)
    """Rate, or factor, of the CNN."""
    backbone: float = Field(ge=0)
    """Rate, or factor, of the transformer."""
    heads: float = Field(ge=0)
    """Rate, or factor, of the new layers."""

    @model_validator(mode="before")
    @classmethod
    def _same_for_all(cls, value: Any) -> Any:
        if isinstance(value, (int, float, str)):
            return dict.fromkeys(("stem", "backbone", "heads"), value)
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "number", "minimum": 0}, handler(core_schema)]}


class LossWeights(Section):
    """Weights of the terms of the objective (Sun et al. 2021, Section 4.3)."""

    classification: float = Field(1.0, ge=0)
    """Weight of the multi-label soft margin loss."""
    foreground: float = Field(1.0, ge=0)
    """Weight of the cross entropy over pixels that are labelled with a class."""
    background: float = Field(1.0, ge=0)
    """Weight of the cross entropy over background pixels."""
    saliency: float = Field(1.0, ge=0)
    """Weight of the cross entropy between the background probability and 1 - saliency. Pixels
    outside saliency that several classes claim are left out. It has no effect where
    `labels.saliency` is false or label maps are given."""
    dense_energy: float = Field(0.0, ge=0)
    """Weight of the dense energy, a sum over pairs of pixels: neighbours of similar colour should
    have similar labels. The released code has 1e-7. At 0 it costs no time."""


class DenseEnergySettings(Section):
    """The kernel of the dense energy."""

    sigma_rgb: Positive = 15.0
    """Standard deviation in colour, grey levels of 0..255."""
    sigma_xy: Positive = 100.0
    """Standard deviation in position, px of the crop."""
    scale: float = Field(0.5, gt=0, le=1)
    """Share of the crop's sides at which the energy is computed. Cost grows with its fourth
    power."""


class AfaLossWeights(Section):
    """Weights of the terms of AFA's objective (Ru et al. 2022, Section 3.5)."""

    classification: float = Field(1.0, ge=0)
    """Weight of the multi-label soft margin loss."""
    segmentation: float = Field(0.1, ge=0)
    """Weight of the mean of two cross entropies, over class and over background pixels."""
    affinity: float = Field(0.1, ge=0)
    """Weight of the affinity loss."""


class AfaSettings(Section):
    """AFA's own keys, for `method: afa`."""

    classification_iterations: int = Field(2000, ge=0)
    """Number of first steps that only learn to classify. Must be less than the number of all steps,
    `epochs` times images divided by `batch_size`."""
    propagation_iterations: int = Field(6000, ge=0)
    """Step from which segmentation learns from maps that affinity has propagated. Before it,
    segmentation learns from the labels that teach affinity."""
    radius: Count = 8
    """Distance in rows and columns within which two patches have an affinity, patches."""
    scales: Annotated[tuple[Positive, ...], Distinct, Field(min_length=1)] = (1.0, 0.5, 1.5)
    """Factors on the crop's sides; their maps are summed for `train.maps.method: afa`. Every
    method's maps are propagated by the affinity at the largest factor."""
    flip: bool = True
    """Whether to take the larger of the maps of a crop and its mirror image, for
    `train.maps.method: afa`."""
    balanced: bool = False
    """Whether the affinity loss takes separate means over pairs of patches of one class and pairs
    of background patches (AffinityNet). `false`: one mean over both (AFA)."""
    losses: AfaLossWeights = AfaLossWeights()

    @model_validator(mode="after")
    def _in_order(self) -> "AfaSettings":
        if self.propagation_iterations < self.classification_iterations:
            raise ValueError(
                f"propagation_iterations ({self.propagation_iterations}) must not be below"
                f" classification_iterations ({self.classification_iterations})"
            )
        return self
