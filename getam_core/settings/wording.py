"""Validation errors of settings in the terms of the settings file."""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from getam_core.errors import joined_by_or
from getam_core.settings.base import section_in

MOST_SHOWN = 3  # keys of the same name in other sections
PAGE = "docs/settings.md"
TOP = "top-level"  # the heading there of the keys that are in no section


def explain(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """Return a line per wrong key: source, path, expectation, and its meaning or a near name."""
    return "\n".join(f"{source}: {_line(problem, model)}" for problem in error.errors())


def _line(problem: Any, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest(problem['loc'], model)}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing" or isinstance(problem["input"], dict):
        return f"{key}: {message}" if key else message
    return f"{key}: {message}, got {problem['input']!r}{_meaning(problem['loc'], model)}"


def _meaning(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """Say what the key means, and where all keys of its section are explained."""
    field = _field_at(location, model)
    if field is None or not field.description:
        return ""
    return f". Meaning: {first_sentence(field.description)} {_page(location)}"


def _field_at(location: Sequence[int | str], model: type[BaseModel]) -> FieldInfo | None:
    """Return the field of a location; below a field that is no section, that field."""
    field: FieldInfo | None = None
    section: type[BaseModel] | None = model
    for part in location:
        if section is None or str(part) not in section.model_fields:
            break
        field = section.model_fields[str(part)]
        section = section_in(field.annotation)
    return field


def first_sentence(description: str) -> str:
    """Return a description's first sentence, in one line."""
    return re.split(r"(?<=\.) (?=[A-Z`])", " ".join(description.split()), maxsplit=1)[0]


def _page(location: tuple[int | str, ...]) -> str:
    return f"{PAGE}#{location[0] if len(location) > 1 else TOP}"


def _nearest(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    *parents, name = location
    field = _field_at(parents, model)
    section = section_in(field.annotation) if field else None if parents else model
    if section is None:
        return ""
    prefix = "".join(f"{parent}." for parent in parents)
    close = difflib.get_close_matches(str(name), section.model_fields, n=1, cutoff=0.5)
    meant = [prefix + field for field in close] + list(_keys_named(str(name), model))[:MOST_SHOWN]
    if meant:
        return f"; did you mean {joined_by_or(meant)}?"
    return f"; known here: {', '.join(section.model_fields)}. {_page(location)}"


def _keys_named(name: str, section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all keys of this name, at any depth: it may be in the wrong section."""
    for field, info in section.model_fields.items():
        if field == name:
            yield prefix + field
        elif (inner := section_in(info.annotation)) is not None:
            yield from _keys_named(name, inner, f"{prefix}{field}.")
