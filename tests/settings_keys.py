"""Every key of the settings, by its path, and another value of its type."""

import types
import typing
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ValidationError

from getam_core.settings import Settings


def leaves(section: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Return the type of every key, in sections and optional sections at any depth."""
    found = {}
    for name, field in section.model_fields.items():
        inner = [arm for arm in arms(field.annotation) if is_section(arm)]
        if inner:
            found |= leaves(inner[0], f"{prefix}{name}.")
        else:
            found[prefix + name] = field.annotation
    return found


def arms(annotation: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one type."""
    union = typing.get_origin(annotation) in (Union, types.UnionType)
    return typing.get_args(annotation) if union else (annotation,)


def is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def changed(context: dict[str, Any], key: str) -> tuple[Settings, Settings]:
    """Return the settings of a context, and those with another value of one key."""
    before = Settings.model_validate(context)
    old = before
    for name in key.split("."):
        old = getattr(old, name)
    for value in candidates(leaves(Settings)[key], old):
        try:
            after = Settings.model_validate(merged(context, nested(key, value)))
        except ValidationError:
            continue
        if after != before:
            return before, after
    raise AssertionError(f"{key}: no other value is valid beside {context}: say one in CONTEXTS")


def candidates(annotation: Any, old: Any) -> Iterator[Any]:
    """Yield other values of a type; not all are valid for the key."""
    for arm in arms(annotation):
        origin, inner = typing.get_origin(arm), typing.get_args(arm)
        if origin is Annotated:
            yield from candidates(inner[0], old)
        elif origin is Literal:
            yield from (value for value in inner if value != old)
        elif arm is bool:
            yield not old
        elif arm in (int, float):
            start = old if isinstance(old, (int, float)) else 1
            yield from (arm(x) for x in (start + 1, start / 2, start + 8, start - 1))
        elif arm in (str, Path):
            yield f"other_{old}"
        elif origin is dict:
            yield from ({"depth": 3}, {1: "dog"}, {"row": "run"})
        elif origin is tuple:
            yield from other_tuples(inner, old if isinstance(old, tuple) else ())


def other_tuples(inner: tuple[Any, ...], old: tuple) -> Iterator[list]:
    """Yield tuples with one more item, or with the last one changed."""
    last = old[-1] if old else 1
    if inner[-1] is Ellipsis:
        yield from ([*old, item] for item in candidates(inner[0], last))
        yield [1]
    else:
        yield from ([*old[:-1], item] for item in candidates(inner[-1], last))


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return the sections that set one key."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def merged(*sections: dict[str, Any]) -> dict[str, Any]:
    """Return the sections with the keys of all; the last one takes precedence."""
    result: dict[str, Any] = {}
    for name in dict.fromkeys(chain(*sections)):
        values = [each[name] for each in sections if name in each]
        both = len(values) > 1 and all(isinstance(value, dict) for value in values)
        result[name] = merged(*values) if both else values[-1]
    return result
