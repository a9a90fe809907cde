"""The only module that imports mmsegmentation, with full mmcv or with mmcv-lite.

mmcv-lite is mmcv without compiled operators, and installs without a compiler. DeepLabv2 and the Mix
Transformer need none of them, but `mmseg.models` imports `mmcv.ops`, which needs the module
`mmcv._ext`. While mmseg is imported, a stand-in replaces that module. It is removed afterwards,
because mmengine looks for the module to see whether there are operators. A full mmcv is used as is.
"""

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NoReturn

from getam_core.extras import needs

OPERATORS = "mmcv._ext"


@contextmanager
def operators_or_stand_in() -> Iterator[None]:
    """Let `mmcv.ops` be imported whether or not mmcv's operators are installed.

    Raises
    ------
    InputError
        mmsegmentation or its parts are missing, or do not load with this torch.
    """
    try:
        with needs("deeplab", "mmsegmentation (a full mmcv must be built for this torch)"):
            if importlib.util.find_spec(OPERATORS) is None:
                sys.modules[OPERATORS] = _StandIn(OPERATORS)
            yield
    finally:
        if isinstance(sys.modules.get(OPERATORS), _StandIn):
            del sys.modules[OPERATORS]


class _StandIn(ModuleType):
    """Has every operator by name; calling one raises an error that names it."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_arguments: Any, **_options: Any) -> NoReturn:
            raise RuntimeError(f"mmcv-lite has no operator {name}; install full mmcv")

        return missing


with operators_or_stand_in(), warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about names that mmcv has moved
    import mmseg.models  # noqa: F401  (its networks are built by their names)
    from mmseg.datasets import BaseSegDataset
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead
    from mmseg.registry import (
        DATA_SAMPLERS,
        DATASETS,
        LOOPS,
        MODELS,
        OPTIM_WRAPPERS,
        TRANSFORMS,
    )

__all__ = [
    "DATASETS",
    "DATA_SAMPLERS",
    "LOOPS",
    "MODELS",
    "OPTIM_WRAPPERS",
    "TRANSFORMS",
    "BaseDecodeHead",
    "BaseSegDataset",
]
