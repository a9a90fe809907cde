"""A trained network on disk: what it takes to build it, and its parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from getam_core.checkpoint import load_checkpoint, save_checkpoint
from getam_core.errors import InputError
from getam_core.networks.building import build_network
from getam_core.networks.cnn import build_classifier
from getam_core.networks.normalisation import resolved

BUILDERS = {"transformer": build_network, "cnn": build_classifier}


def save_network(
    path: Path,
    network: nn.Module,
    built_by: Mapping[str, Any],
    classes: Sequence[str],
    kind: str = "transformer",
    supervision: str = "classes",
    *,
    segments: bool = True,
) -> None:
    """Write `checkpoint.pt`: model, kind, built_by, classes, supervision, segments.

    `built_by` are the arguments of the builder in `BUILDERS`. Sources of initial weights are left
    out, since the parameters replace them; the normalisation that belongs to them is written out.
    `supervision` is what the network was trained on; `segments` whether it was trained to segment.
    """
    arguments = dict(built_by)
    if arguments["stem"] is not None:
        arguments["stem"] = resolved(arguments["stem"]) | {"weights": None}
    if "weights" in arguments:
        arguments["weights"] = None
    content = {"kind": kind, "built_by": arguments, "classes": list(classes)}
    trained = {"model": network.state_dict(), "supervision": supervision, "segments": segments}
    save_checkpoint(path, {**trained, **content})


def load_network(path: Path) -> nn.Module:
    """Build the network of a `checkpoint.pt`, on the CPU and in evaluation mode.

    Raises
    ------
    InputError
        The file is missing, unreadable, or holds something other than a network of this package.
    """
    content = _read(path)
    network = BUILDERS[content.get("kind", "transformer")](**content["built_by"])
    network.load_state_dict(content["model"])
    return network.eval()


def read_classes(path: Path) -> tuple[str, ...]:
    """Return the names of the classes of a `checkpoint.pt`; errors are those of `load_network`."""
    return tuple(_read(path)["classes"])


def read_supervision(path: Path) -> str:
    """Return what the network of a `checkpoint.pt` was trained on: "classes", "labels", "masks"."""
    return _read(path).get("supervision", "classes")


def _read(path: Path) -> dict[str, Any]:
    content = load_checkpoint(path)
    if not {"model", "built_by", "classes"} <= content.keys():
        raise InputError(
            f"{path}: not a network written by the training stage (give train/checkpoint.pt);"
            f" it holds {', '.join(map(str, content))}"
        )
    return content
