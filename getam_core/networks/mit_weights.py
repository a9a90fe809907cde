"""Weights of a Mix Transformer in the official format (mit_b1.pth), for mmsegmentation's network.

The two name the same layers in different ways. Where mmsegmentation has one projection for queries,
keys and values, the official files have one for queries and one for keys and values. The
feed-forward layers are 1 x 1 convolutions in mmsegmentation, matrices in the official files.
"""

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from getam_core.errors import InputError
from getam_core.networks.library import read_weights

PATTERNS = {  # official key (stage from 1, block, rest) -> mmsegmentation's
    r"patch_embed(\d)\.proj\.(.+)": "layers.{0}.0.projection.{1}",
    r"patch_embed(\d)\.norm\.(.+)": "layers.{0}.0.norm.{1}",
    r"block(\d)\.(\d+)\.(norm[12])\.(.+)": "layers.{0}.1.{1}.{2}.{3}",
    r"block(\d)\.(\d+)\.attn\.(sr|norm)\.(.+)": "layers.{0}.1.{1}.attn.{2}.{3}",
    r"block(\d)\.(\d+)\.attn\.proj\.(.+)": "layers.{0}.1.{1}.attn.attn.out_proj.{2}",
    r"block(\d)\.(\d+)\.attn\.(q|kv)\.(.+)": "layers.{0}.1.{1}.attn.attn.in_proj_{3}",
    r"block(\d)\.(\d+)\.mlp\.fc1\.(.+)": "layers.{0}.1.{1}.ffn.layers.0.{2}",
    r"block(\d)\.(\d+)\.mlp\.dwconv\.dwconv\.(.+)": "layers.{0}.1.{1}.ffn.layers.1.{2}",
    r"block(\d)\.(\d+)\.mlp\.fc2\.(.+)": "layers.{0}.1.{1}.ffn.layers.4.{2}",
    r"norm(\d)\.(.+)": "layers.{0}.2.{1}",
}
CLASSIFIER = ("head.weight", "head.bias")  # of ImageNet, left out


def load_mit(backbone: nn.Module, path: Path | str) -> None:
    """Load an official file into mmsegmentation's `MixVisionTransformer`, in place.

    Raises
    ------
    InputError
        A key that no Mix Transformer has, one that the network lacks, or one of another shape, by
        the file's names; a missing key, by mmsegmentation's name.
    """
    state = {key: value for key, value in read_weights(path).items() if key not in CLASSIFIER}
    expected = backbone.state_dict()
    converted = converted_mit(state, path)
    official = {ours: key for key in state for ours in [_renamed(key)]}
    missing = [name for name in expected if name not in converted]
    surplus = [official[name] for name in converted if name not in expected]
    if missing or surplus:
        raise InputError(
            f"{path}: weights of another Mix Transformer:"
            f" {len(missing)} weights missing ({', '.join(missing[:3])}),"
            f" {len(surplus)} unexpected ({', '.join(surplus[:3])})"
        )
    for name, value in converted.items():
        if value.shape != expected[name].shape:
            raise InputError(
                f"{path}: {official[name]} is {tuple(value.shape)}, the network's"
                f" {tuple(expected[name].shape)}: weights of another Mix Transformer"
            )
    backbone.load_state_dict(converted)


def converted_mit(state: dict[str, Tensor], path: Path | str) -> dict[str, Tensor]:
    """Return the state dict of an official file under mmsegmentation's names and shapes."""
    strange = [key for key in state if _renamed(key) is None]
    if strange:
        raise InputError(
            f"{path}: {', '.join(strange[:3])} {'does' if len(strange) == 1 else 'do'} not belong"
            " to a Mix Transformer; give the official file, for instance mit_b1.pth"
        )
    converted: dict[str, Tensor] = {}
    for key, value in sorted(state.items(), key=lambda item: ".kv." in item[0]):  # q before kv
        name = _renamed(key)
        if ".kv." in key and name in converted:
            value = torch.cat([converted[name], value])
        if re.search(r"\.mlp\.fc[12]\.weight$", key):
            value = value[:, :, None, None]
        converted[name] = value
    return converted


def _renamed(key: str) -> str | None:
    """Return mmsegmentation's name for a key of an official file; None for an unknown one."""
    for pattern, name in PATTERNS.items():
        if found := re.fullmatch(pattern, key):
            stage, *rest = found.groups()
            return name.format(int(stage) - 1, *rest)
    return None
