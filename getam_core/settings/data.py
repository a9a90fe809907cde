"""The section of the data set."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from getam_core.classes import (
    COCO_CLASSES,
    MOST_CLASSES,
    SCENE_CLASSES,
    VOC_CLASSES,
    unusable_names,
)
from getam_core.settings.base import Count, Distinct, Section

Names = Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_CLASSES), Distinct]

# What a layout has where the settings do not say it. `classes` None: those found in the data.
LAYOUT_DEFAULTS: dict[str, dict[str, Any]] = {
    "voc": {"classes": VOC_CLASSES},
    "coco": {"classes": COCO_CLASSES, "train": "train2014", "val": "val2014"},
    "folder": {"classes": None},
    "scenes": {"classes": SCENE_CLASSES, "train": "train", "val": "val"},
}


class SceneSettings(Section):
    """Made scenes: how many, how large, and the seed that makes them."""

    train: Count = 2000
    val: Count = 200
    salient: Count = 1000
    size: int = Field(96, ge=32)
    seed: int = Field(0, ge=0)


class ColumnSettings(Section):
    """Names of a table's columns, where they are not the usual ones."""

    image: str | None = None
    classes: str | Names | None = None
    split: str | None = None


class DataSettings(Section):
    """Where images and image-level labels come from."""

    layout: Literal["voc", "coco", "folder", "scenes"] = "voc"
    root: str | None = None
    classes: Names | None = VOC_CLASSES
    train: str = "train"
    val: str = "val"
    val_share: float = Field(0.2, gt=0, lt=1)
    images: str | None = None
    table: str | None = None
    columns: ColumnSettings = ColumnSettings()
    masks: str | None = None
    mask_values: dict[int | str, str] = Field(default_factory=dict)
    negative: tuple[str, ...] = ()
    other_classes: Literal["refuse", "leave_out"] = "refuse"
    labels: Literal["annotations", "masks"] = "annotations"
    sbd: str | None = None
    scenes: SceneSettings = SceneSettings()

    @field_validator("classes")
    @classmethod
    def _usable(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if wrong := unusable_names(names or ()):
            raise ValueError(f"not usable as a class name: {', '.join(map(repr, wrong))}")
        return names

    @model_validator(mode="before")
    @classmethod
    def _layout_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        own = LAYOUT_DEFAULTS.get(values.get("layout", "voc"), {})
        if values.get("layout") == "scenes":
            strange = [key for key in own if key in values and not _same(values[key], own[key])]
            if strange:
                raise ValueError(
                    f"made scenes have their own {' and '.join(strange)}; leave them out"
                )
        return own | values

    @model_validator(mode="after")
    def _fits_its_layout(self) -> "DataSettings":
        if self.train == self.val:
            raise ValueError(f"train and val are both '{self.val}'; expected two lists")
        if self.labels == "masks" and self.classes is None:
            raise ValueError("labels: masks needs classes, whose order the masks' values have")
        if self.layout != "voc" and (self.labels == "masks" or self.sbd is not None):
            raise ValueError("labels: masks and sbd belong to layout: voc")
        return self


class SubmissionSettings(Section):
    """The test images of PASCAL VOC: a list of a devkit, without labels."""

    list: str = "test"
    root: str | None = None


def _same(value: Any, own: Any) -> bool:
    return value == own or (isinstance(value, list) and tuple(value) == own)
