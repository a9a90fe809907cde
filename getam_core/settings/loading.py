"""A run's YAML with the command line's overrides, merged and validated."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from getam_core.errors import InputError
from getam_core.settings.methods import check_methods
from getam_core.settings.sections import Settings
from getam_core.settings.wording import explain


def load_settings(path: Path, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read one run's YAML, merge `overrides` (as from `--config`) into it, and validate both.

    `base: NAME` in the file takes all keys that it does not set from `NAME.yaml` beside it.

    Raises
    ------
    InputError
        One line for each wrong key: the file, the key's path, what was expected, the nearest name.
    """
    written = _read_run(path)
    _validate(written, source=str(path))
    merged = _merge(written, _parsed(overrides or {}))
    if (root := merged.get("data_root")) is not None:
        merged["data_root"] = os.path.expanduser(str(root))  # noqa: PTH111 (Path raises for ~nobody)
        merged = _replaced(merged, "{data_root}", merged["data_root"])
    if isinstance(data := merged.get("data"), Mapping) and isinstance(data.get("root"), str):
        merged["data"] = dict(data) | {"root": os.path.expanduser(data["root"])}  # noqa: PTH111
    settings = _validate(merged, source=f"{path} with --config")
    check_methods(settings, str(path))
    return settings


def _read_run(path: Path, derived: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a run, merged over the one that it is based on."""
    written = _read_yaml(path)
    base = written.pop("base", None)
    if base is None:
        return written
    source = path.with_name(f"{base}.yaml")
    if source in (path, *derived):
        raise InputError(f"{path}: base: {base} is based on this run; name another")
    return _merge(_read_run(source, (*derived, path)), written)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        runs = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise InputError(f"{path}: no such run; the runs of {path.parent}/ are: {runs}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected keys and values, got {type(value).__name__}")
    return value


def _validate(values: dict[str, Any], source: str) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise InputError(explain(error, Settings, source)) from None


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes into a base, key by key; an empty mapping clears what the base has."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both and value else value
    return merged


def _parsed(value: Any) -> Any:
    """Give strings of the command line the type that the same text has in a YAML file."""
    if isinstance(value, Mapping):
        return {key: _parsed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_parsed(item) for item in value]
    return _scalar(value) if isinstance(value, str) else value


def _scalar(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:  # "{data_root}/images" is text, not a YAML mapping
        return text
    return text if isinstance(value, (dict, list)) else value


def _replaced(value: Any, name: str, by: str) -> Any:
    """Replace `name` by `by` in every text, at any depth."""
    if isinstance(value, Mapping):
        return {key: _replaced(item, name, by) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(item, name, by) for item in value]
    return value.replace(name, by) if isinstance(value, str) else value
