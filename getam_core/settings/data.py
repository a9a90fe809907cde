"""The section of the data set."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from getam_core.classes import SCENE_CLASSES, VOC_CLASSES
from getam_core.settings.base import Count, Distinct, Section


class SceneSettings(Section):
    """Made scenes: how many, how large, and the seed that makes them."""

    train: Count = 2000
    val: Count = 200
    salient: Count = 1000
    size: int = Field(96, ge=32)
    seed: int = Field(0, ge=0)


class DataSettings(Section):
    """Where images and image-level labels come from."""

    layout: Literal["voc", "scenes"] = "voc"
    classes: Annotated[tuple[str, ...], Field(min_length=1, max_length=253), Distinct] = VOC_CLASSES
    train: str = "train"
    val: str = "val"
    scenes: SceneSettings = SceneSettings()

    @field_validator("classes")
    @classmethod
    def _usable(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in names if name == "background" or ";" in name or not name.strip()]
        if wrong:
            raise ValueError(f"not usable as a class name: {', '.join(map(repr, wrong))}")
        return names

    @model_validator(mode="before")
    @classmethod
    def _scenes_have_their_own(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("layout") == "scenes":
            own = {"classes": list(SCENE_CLASSES), "train": "train", "val": "val"}
            given = {key: values[key] for key in own if key in values}
            if any(value not in (own[key], tuple(own[key])) for key, value in given.items()):
                raise ValueError(
                    f"made scenes have their own {' and '.join(given)}; leave them out"
                )
            return values | own
        return values
