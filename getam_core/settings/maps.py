"""The sections of maps: which method makes them, how GETAM does, and how they are exported."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from getam_core.settings.base import Count, Distinct, Positive, Section

Method = Literal[
    "getam", "attention_gradient", "grad_cam", "ts_cam", "cam_ignore", "cam_add", "cnn_cam", "afa"
]
METHOD_NAMES: tuple[Method, ...] = get_args(Method)
CLASSIFIERS = {"ts_cam": "ts_cam", "cnn_cam": "cnn"}  # methods with a network of their own


class GetamSettings(Section):
    """How GETAM is computed."""

    coupling: Literal["per_head", "head_mean"] = "per_head"
    """Where Eq. 2 averages over heads: after attention and gradient are multiplied (the released
    code), or before (the paper's text)."""
    blocks: int | None = Field(None, ge=1)
    """Number of last blocks that Eq. 3 sums. `null`: all. The paper sums all 12, and the last 6 for
    ViT-Hybrid."""
    fusion: Literal["sum", "product", "matrix"] = "sum"
    """How the maps of the blocks are fused (Fig. 7): their sum (Eq. 3); their product, each divided
    by its maximum; or the [class] row of the matrix product of the coupled attentions, which takes
    tens of times as long. Both products are zero where the logits do not read the [class] token
    (BEiT)."""


class TrainedMapSettings(GetamSettings):
    """The maps that labels are made from in the second half of training."""

    method: Method = "getam"
    """Method of the maps. `ts_cam` needs `model.head: ts_cam`, `cam_ignore` and `cam_add` need
    `model.head: class`, `cnn_cam` needs `model.name: null`, `afa` needs `model.head: max_pooled`.
    All but `getam` need a forward pass of their own."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The keys that the method takes, with their values."""
        own = {"getam": {"coupling", "blocks", "fusion"}, "attention_gradient": {"blocks"}}
        return self.model_dump(include=own.get(self.method, set()))


class ExportedGetamSettings(GetamSettings):
    """How GETAM is computed in the export of maps; `train.maps` has the same keys for training.

    The two are independent.
    """

    store_blocks: bool = False
    """Whether to store the maps of the blocks beside their sum; each takes as much space as the
    sum. Needs `fusion: sum`."""

    @model_validator(mode="after")
    def _blocks_of_a_sum(self) -> "ExportedGetamSettings":
        if self.store_blocks and self.fusion != "sum":
            raise ValueError(
                "store_blocks keeps the terms of a sum: set fusion to sum, or store_blocks to false"
            )
        return self


class MapSettings(Section):
    """The export of maps, by every method."""

    size: Count | None = None
    """Long side of the images, px, rounded to the network's stride. `null`: their own."""
    scales: Annotated[tuple[Positive, ...], Distinct, Field(min_length=1)] = (1.0,)
    """Factors on the size. The maps of all scales are divided by their maximum and averaged, in the
    grid of the first scale. Those of `afa` are summed."""
    flip: bool = True
    """Whether to average with the maps of the mirrored image. `afa` takes the larger of the two."""
    affinity: Count | None = None
    """Radius within which learned affinity propagates the maps of every method, patches; AFA has 8.
    Needs `train.method: afa`. The affinity is computed on the images at 1.5 times their size, and
    the maps get that grid. `null`: no propagation."""
