"""The building blocks of every section of the settings.

A key's meaning and unit are in the docstring under its field, which pydantic takes as the field's
description. `docs/settings.md`, `config/schema.json` and error messages show it.
"""

import types
import typing
from typing import Annotated, Any

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
    """A group of keys: unknown keys are refused, values are checked, and it is immutable."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True
    )


def section_in(annotation: Any) -> type[Section] | None:
    """Return the section in `Section` or `Section | None`; None if a field is no section."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    options = typing.get_args(annotation) if is_union else (annotation,)
    return next((o for o in options if isinstance(o, type) and issubclass(o, Section)), None)
