"""JSON Schema of a run's YAML, from which editors complete keys and show what they mean.

It accepts what `load_settings` accepts. Draft 7, since editors support it in full.
"""

from typing import Any

from getam_core.settings.sections import Settings

NUMBER = {
    "pattern": r"^[-+]?[0-9._]+([eE][-+]?[0-9]+)?$",
    "patternErrorMessage": "Expected a number.",  # a keyword of editors
}
TRUTH = {
    "pattern": "^([yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|[tT]rue|TRUE|[fF]alse|FALSE)$",
    "patternErrorMessage": "Expected true or false.",
}
BASE = {
    "type": "string",
    "description": "Name of another run: keys that this file does not set are taken from"
    " `BASE.yaml`.",
}


def settings_schema() -> dict[str, Any]:
    """Return the schema of `config/<run>.yaml`, with the descriptions of all keys."""
    schema = Settings.model_json_schema()
    schema["properties"] = {"base": BASE} | schema["properties"]
    schema["description"] = "A run of GETAM: it names what differs from the defaults."
    return {"$schema": "http://json-schema.org/draft-07/schema#"} | _written(schema)


def _written(node: Any) -> Any:
    """Adapt a node, and all below it, to what a file may say."""
    if isinstance(node, list):
        return [_written(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _written(value) for key, value in node.items() if key not in ("title", "required")}
    for names in ("properties", "$defs"):  # whose keys are names, `title` among them
        if names in node:
            made[names] = {name: _written(value) for name, value in node[names].items()}
    return _forms(made)


def _forms(node: dict[str, Any]) -> dict[str, Any]:
    """Return one node in draft 7, which also accepts numbers and truth values that YAML calls text.

    1e-3 is a text in YAML 1.1, `yes` is one in YAML 1.2; `load_settings` understands both. Nothing
    is required, since `base` may set it.
    """
    if "enum" in node or "const" in node:
        node.pop("type", None)
    elif node.get("type") in ("integer", "number"):
        node |= {"type": [node["type"], "string"]} | NUMBER
    elif node.get("type") == "boolean":
        node |= {"type": ["boolean", "string"]} | TRUTH
    if "prefixItems" in node:
        node["items"] = node.pop("prefixItems")
    if "$ref" in node:
        node.pop("default", None)  # that of a section repeats those of its keys
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    return node
