"""A trained network on disk: what it takes to build it, and its parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from getam_core.checkpoint import load_checkpoint, save_checkpoint
from getam_core.vit import SegmentationTransformer, build_network


def save_network(
    path: Path, network: nn.Module, built_by: Mapping[str, Any], classes: Sequence[str]
) -> None:
    """Write `checkpoint.pt`: {"model", "built_by", "classes"}.

    `built_by` are the arguments of `build_network`; sources of initial weights are left out, since
    the parameters replace them.
    """
    stem = built_by["stem"] and {**built_by["stem"], "weights": None}
    arguments = {**built_by, "weights": None, "stem": stem}
    content = {"model": network.state_dict(), "built_by": arguments, "classes": list(classes)}
    save_checkpoint(path, content)


def load_network(path: Path) -> SegmentationTransformer:
    """Build the network of a `checkpoint.pt`, on the CPU and in evaluation mode.

    Raises
    ------
    InputError
        The file is missing or not readable.
    """
    content = load_checkpoint(path)
    network = build_network(**content["built_by"])
    network.load_state_dict(content["model"])
    return network.eval()
