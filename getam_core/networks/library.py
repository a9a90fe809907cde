"""Checks of timm's names, and reading of weight files without unpickling code."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import timm
from timm.models import load_state_dict
from torch import Tensor, nn

from getam_core.errors import InputError, unknown_name


def check_timm_name(name: str) -> None:
    """Raise `InputError` with the nearest names when timm has no model of this name."""
    if ":" in name or "/" in name or not timm.is_model(name):
        raise unknown_name("timm model", name, timm.list_models())


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """Read a state dict from a safetensors file, or from a torch file with `weights_only=True`.

    Raises
    ------
    InputError
        The file is missing, damaged, or holds anything other than tensors.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such weights file")
    try:
        state = load_state_dict(str(path), weights_only=True)
    except Exception as error:  # zip, pickle, safetensors and I/O errors have no common base
        reason = str(error).strip().splitlines()[:1]
        raise InputError(f"{path}: not a safetensors or torch weights file ({reason})") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"{path}: holds no state dict (names and tensors)")
    return state


def load_all(path: Path | str, model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load `state`, read from `path`, into `model`; keys that the model lacks are ignored.

    Raises
    ------
    InputError
        Weights of the model are missing, or of another shape.
    """
    try:
        names = model.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        raise InputError(f"{path}: weights of another network: {one_line(error)}") from error
    if names:
        shown = ", ".join(names[:3])
        raise InputError(f"{path}: {len(names)} weights of the network are missing: {shown}, ...")


@contextmanager
def from_hub(name: str) -> Iterator[None]:
    """Turn any error of a library that downloads weights into a one-line `InputError`.

    Offline, the hub's client retries for a minute and logs 44 warnings; it is silenced here.
    """
    client = logging.getLogger("huggingface_hub")
    level = client.level
    client.setLevel(logging.ERROR)
    try:
        yield
    except (AssertionError, TypeError):  # how timm refuses an option; see `build_vit`
        raise
    except Exception as error:  # network, HTTP, cache and file errors have no common base
        raise InputError(
            f"{name}: the hub's weights could not be loaded ({one_line(error)}); give a local"
            " file (`weights: FILE`), or use random ones (`weights: null`)"
        ) from error
    finally:
        client.setLevel(level)


def one_line(error: Exception) -> str:
    """Return an error's message, or its type where it has none, as one line of 300 characters."""
    return " ".join(str(error).split())[:300] or type(error).__name__
