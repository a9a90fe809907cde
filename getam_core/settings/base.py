"""What every section of the settings is made of."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Exponent = Annotated[float, Field(ge=1)]
Count = Annotated[int, Field(ge=1)]


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError("expected the smaller number first")
    return ends


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("expected different names")
    return names


Ascending = AfterValidator(_ascending)
ScaleRange = Annotated[tuple[Count, Count], Ascending]  # of the long side, px
Distinct = AfterValidator(_distinct)


class Section(BaseModel):
    """A group of keys: unknown keys are refused, values are checked, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
