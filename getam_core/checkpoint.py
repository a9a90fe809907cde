"""The state of a training run on disk: written whole, resumed only by the settings that made it."""

import logging
from pathlib import Path
from typing import Any

import torch

from getam_core.errors import InputError
from getam_core.files import atomic_path

log = logging.getLogger(__name__)


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain Python values atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)  # by name it would store the name: same content, other bytes


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, on the CPU and without pickle's code execution."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint; run the training stage first") from None
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise InputError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); delete it and train again"
        ) from None


def load_resumable(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the state at `path` if the same settings made it.

    State of other settings is renamed beside it, never deleted, and a message names the keys that
    differ; training then starts afresh. Returns None when there is nothing to resume.
    """
    if not path.exists():
        return None
    try:
        state = load_checkpoint(path)
    except InputError as error:
        _set_aside(path, str(error))
        return None
    differing = differing_keys(state["settings"], settings)
    if differing:
        _set_aside(path, f"it was made by other settings: {', '.join(differing)}")
        return None
    return state


def load_same(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the state at `path`, which the same settings must have made.

    Raises
    ------
    InputError
        There is none, it is damaged, or the keys that it names differ.
    """
    state = load_checkpoint(path)
    differing = differing_keys(state.get("settings"), settings)
    if differing:
        raise InputError(
            f"{path}: not resumed, it was made by other settings: {', '.join(differing)}; set them"
            " as they were, or leave out train.resume_from"
        )
    return state


def differing_keys(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Paths of the keys whose values differ between two nested dictionaries, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [
            line
            for key in keys
            for line in differing_keys(old.get(key), new.get(key), f"{prefix}.{key}".lstrip("."))
        ]
    return [] if old == new else [f"{prefix} ({old} before, {new} now)"]


def _set_aside(path: Path, reason: str) -> None:
    number = 1
    while (aside := path.with_name(f"{path.stem}.aside{number}{path.suffix}")).exists():
        number += 1
    path.rename(aside)
    log.warning("%s is set aside as %s (%s); training starts afresh", path, aside.name, reason)
