"""A network to explain: the names of its classes, and how it wants images prepared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import timm
from timm.data import ImageNetInfo, infer_imagenet_subset, resolve_model_data_config
from torch import Tensor, nn

from getam_core.data.geometry import resize, resize_to_stride
from getam_core.data.tensors import to_tensor
from getam_core.errors import InputError
from getam_core.networks.checkpoint import load_network, read_classes
from getam_core.networks.library import check_timm_name, from_hub, one_line, read_weights
from getam_core.networks.stem import Normalise


@dataclass(frozen=True)
class Subject:
    """A classifier in evaluation mode, with what is needed to show what it sees.

    Parameters
    ----------
    model : nn.Module
        images -> (B, C) logits; any that the methods of `getam_core.activation` take.
    class_names : sequence of str
        Of the C classes; several names of one class may be joined by ", ".
    prepare : callable
        (H, W, 3) uint8 RGB array -> (1, 3, h, w) Tensor, as the model wants it.
    exclusive : bool
        An image shows one class (softmax), not any number of them (sigmoid).
    """

    model: nn.Module
    class_names: Sequence[str]
    prepare: Callable[[np.ndarray], Tensor]
    exclusive: bool

    def probabilities(self, logits: Tensor) -> Tensor:
        """(..., C) logits -> (..., C) probabilities."""
        return logits.softmax(-1) if self.exclusive else logits.sigmoid()

    def choose(
        self, logits: Tensor, classes: Sequence[str] | None = None, top: int = 3
    ) -> list[int]:
        """Return indices of the classes that are asked for by name, or the `top` likeliest.

        A name is one of a class's names, or a part of the names of exactly one class; case does not
        matter.

        Raises
        ------
        InputError
            A name fits no class, or several.
        """
        if classes is None:
            return logits.topk(min(top, len(self.class_names))).indices.tolist()
        return [self._find(name) for name in classes]

    def _find(self, name: str) -> int:
        wanted = name.lower()
        known = [[part.strip().lower() for part in names.split(",")] for names in self.class_names]
        found = [i for i, parts in enumerate(known) if wanted in parts]
        found = found or [i for i, parts in enumerate(known) if wanted in ", ".join(parts)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise InputError(f"class {name!r}: the network has no such class; {self._names()}")
        names = "; ".join(self.class_names[i] for i in found[:8])
        raise InputError(f"class {name!r} matches {len(found)} classes, name one: {names}")

    def _names(self) -> str:
        shown = "; ".join(self.class_names[:20])
        return f"it has {len(self.class_names)}: {shown}" + " ..." * (len(self.class_names) > 20)


def load_subject(
    name: str, *, weights: Path | str | None = "hub", size: int | None = None
) -> Subject:
    """Load a network of timm with its ImageNet classes, or one that a run has trained.

    Parameters
    ----------
    name : str
        timm's name, or the path of a `checkpoint.pt`.
    weights : Path or str or None
        Of timm's network: "hub", a safetensors or torch file, or None for random ones, with which a
        picture only shows that the model can be read.
    size : int or None
        Long side of the images in pixels for a trained one (None: their own size); side of the
        square for timm's (None: what it was trained on).

    Raises
    ------
    InputError
        No such network or file, or weights that do not fit.
    """
    if name.endswith(".pt") or Path(name).exists():
        network = load_network(Path(name))
        prepare = partial(_to_stride, size=size, stride=network.stride)
        return Subject(network, read_classes(Path(name)), prepare, exclusive=False)
    check_timm_name(name)
    model = _timm_model(name, weights, size)
    wanted = resolve_model_data_config(model)
    side = size or wanted["input_size"][-1]
    normalise = Normalise(wanted["mean"], wanted["std"])
    prepare = partial(_to_square, side=side, normalise=normalise)
    return Subject(model, _imagenet_names(model), prepare, exclusive=True)


def _to_stride(image: np.ndarray, size: int | None, stride: int) -> Tensor:
    return to_tensor(resize_to_stride(image, size, stride))[None]


def _to_square(image: np.ndarray, side: int, normalise: Normalise) -> Tensor:
    return normalise(to_tensor(resize(image, side, side)))[None]


def _timm_model(name: str, weights: Path | str | None, size: int | None) -> nn.Module:
    options = {} if size is None else {"img_size": size}
    try:
        if weights == "hub":
            with from_hub(name):
                return timm.create_model(name, pretrained=True, **options).eval()
        if weights is None:
            return timm.create_model(name, **options).eval()
        state = read_weights(weights)
        overlay = {"state_dict": state}
        return timm.create_model(
            name, pretrained=True, pretrained_cfg_overlay=overlay, **options
        ).eval()
    except (TypeError, AssertionError) as error:
        raise InputError(f"{name}: does not accept --size ({one_line(error)})") from None
    except RuntimeError as error:
        raise InputError(f"{weights}: weights of another network: {one_line(error)}") from None


def _imagenet_names(model: nn.Module) -> list[str]:
    """Return the ImageNet names of a model's classes, or their numbers if it has others."""
    subset = infer_imagenet_subset(model)
    count = model.num_classes
    if subset is None:
        return [f"class {i}" for i in range(count)]
    info = ImageNetInfo(subset)
    return [info.index_to_description(i) for i in range(count)]
