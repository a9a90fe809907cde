"""Training state on disk: written atomically, resumed only under the settings that made it."""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from getam_core.errors import InputError
from getam_core.file_access import FileAccessError, refusal
from getam_core.files import atomic_path

log = logging.getLogger(__name__)


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain Python values atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)  # given the path, it would store the name: other bytes


class DamagedError(InputError):
    """The bytes of a file are not those of a checkpoint."""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, on the CPU and without pickle's code execution.

    Raises
    ------
    DamagedError
        The file was read, but is not a checkpoint.
    InputError
        There is no such file, or the machine could not read it.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint; run the training stage first") from None
    except (OSError, MemoryError) as error:
        raise _unread(path, error) from None
    except Exception as error:  # torch raises many kinds for a file that is not its own
        if "allocate memory" in str(error):  # torch's MemoryError is a RuntimeError
            raise _unread(path, error) from None
        raise DamagedError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); delete it and train again"
        ) from None


def _unread(path: Path, error: Exception) -> InputError:
    """Return the error for a file that the machine cannot read now; the file is left as it is."""
    if refused := refusal(path, error, "could not be read"):
        return refused
    return FileAccessError(
        f"{path}: could not be read ({type(error).__name__}: {error}); it stays as it is: check"
        " the disk and the memory, then run the command again"
    )


def load_resumable(
    path: Path, settings: dict[str, Any], needed: Collection[str] = ()
) -> dict[str, Any] | None:
    """Return the state at `path` if the same settings made it and it has the `needed` keys.

    A state that is damaged, or of other settings or another program, is renamed in its folder,
    never deleted, and a warning says why; training then starts from scratch. Returns None if there
    is nothing to resume.

    Raises
    ------
    InputError
        The machine could not read the file, which stays where it is.
    """
    try:
        if not path.exists():
            return None
        state = load_checkpoint(path)
    except DamagedError as error:
        _set_aside(path, str(error))
        return None
    except OSError as error:
        raise _unread(path, error) from None
    reason = _mismatch(state, settings, needed)
    if reason:
        _set_aside(path, reason)
        return None
    return state


def load_same(path: Path, settings: dict[str, Any], needed: Collection[str] = ()) -> dict[str, Any]:
    """Return the state at `path`, which the same settings must have made.

    Raises
    ------
    InputError
        The file is missing, cannot be read or is not a state, or settings differ; the message names
        their keys.
    """
    state = load_checkpoint(path)
    reason = _mismatch(state, settings, needed)
    if reason:
        raise InputError(
            f"{path}: not resumed, {reason}; set the keys as they were, name another state, or"
            " leave out train.resume_from"
        )
    return state


def _mismatch(state: Any, settings: dict[str, Any], needed: Collection[str]) -> str | None:
    """Return why a training with these settings cannot resume from a state; None if it can."""
    if not isinstance(state, dict):
        return f"it is not a training state but a {type(state).__name__}"
    absent = sorted({"settings", *needed} - state.keys())
    if absent:
        return (
            "it is not a state of this training, or it is from another version: it lacks"
            f" {', '.join(absent)}"
        )
    differing = differing_keys(state["settings"], settings)
    return f"it was made by other settings: {', '.join(differing)}" if differing else None


def differing_keys(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Return the paths of keys that differ between two nested dictionaries, with both values."""
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
    log.warning("%s was renamed to %s (%s); training starts from scratch", path, aside.name, reason)
