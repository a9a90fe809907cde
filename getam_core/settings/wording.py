"""Validation errors of settings in the words of the person who wrote them."""

import difflib
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

MOST_SHOWN = 3  # keys of one name in other sections


def explain(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """Return one line a wrong key: source, path of the key, expectation, nearest valid name."""
    return "\n".join(f"{source}: {_line(problem, model)}" for problem in error.errors())


def _line(problem: Any, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest(problem['loc'], model)}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing" or isinstance(problem["input"], dict):
        return f"{key}: {message}" if key else message
    return f"{key}: {message}, got {problem['input']!r}"


def _nearest(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    *parents, name = location
    section: type[BaseModel] | None = model
    for parent in parents:
        if section is not None and isinstance(parent, str) and parent in section.model_fields:
            section = _section(section.model_fields[parent].annotation)
    if section is None:
        return ""
    prefix = "".join(f"{parent}." for parent in parents)
    close = difflib.get_close_matches(str(name), section.model_fields, n=1, cutoff=0.5)
    meant = [prefix + field for field in close] + list(_keys_named(str(name), model))[:MOST_SHOWN]
    if meant:
        return f"; did you mean {' or '.join(meant)}?"
    return f"; known here: {', '.join(section.model_fields)}"


def _keys_named(name: str, section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all keys of this name, at any depth: it may be in the wrong section."""
    for field, info in section.model_fields.items():
        if field == name:
            yield prefix + field
        elif (inner := _section(info.annotation)) is not None:
            yield from _keys_named(name, inner, f"{prefix}{field}.")


def _section(annotation: Any) -> type[BaseModel] | None:
    """Find the section in `Section` or `Section | None`."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    options = typing.get_args(annotation) if is_union else (annotation,)
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
