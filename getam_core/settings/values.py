"""A key's values and default in words, from its JSON schema and its field."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

LONGEST_DEFAULT = 60  # characters; a longer one is in the key's meaning
COUNTS = {2: "two", 3: "three"}
BOUNDS = {
    "minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below",
}  # fmt: skip
WORDS = {"integer": "integer", "number": "number", "string": "text", "object": "mapping"}


def values_of(node: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return the values that a schema's node allows, such as "integer from 1, `null`"."""
    if "$ref" in node:
        return values_of(definitions[node["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in node:
        return ", ".join(values_of(option, definitions) for option in node["anyOf"])
    if "enum" in node or "const" in node:
        return ", ".join(f"`{_yaml(value)}`" for value in node.get("enum", [node.get("const")]))
    if "properties" in node:
        return "or " + ", ".join(f"`{name}`" for name in node["properties"])
    kind = _kind(node)
    if kind == "array":
        return _list(node, definitions)
    if kind in ("boolean", "null"):
        return {"boolean": "`true`, `false`", "null": "`null`"}[kind]
    return WORDS[kind] + _range(node)


def default_of(field: FieldInfo) -> str:
    """Return a field's default as YAML has it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):  # one number, for each of several groups
        (value,) = set(value.model_dump().values())
    text = _yaml(value)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see meaning"


def _kind(node: dict[str, Any]) -> str:
    kind = node.get("type", "string")
    return kind[0] if isinstance(kind, list) else kind


def _list(node: dict[str, Any], definitions: dict[str, Any]) -> str:
    items = node.get("items", {})
    if not isinstance(items, list):
        return f"list of {values_of(items, definitions)}"
    words = values_of(items[0], definitions)
    name, _, rest = words.partition(" ")
    return f"{COUNTS[len(items)]} {name}s {rest}".rstrip()


def _range(node: dict[str, Any]) -> str:
    """Return the range of a number; "to" includes its end, "below" does not."""
    bounds = [f"{word} {_yaml(node[key])}" for key, word in BOUNDS.items() if key in node]
    if bounds == ["above 0", "below 1"]:
        return " between 0 and 1"
    return "".join(f" {bound}" for bound in bounds)


def _yaml(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value)
