"""The library without its extras: everything can be imported, and what is missing is named."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from getam_core.data.coco import load_instances
from getam_core.errors import InputError
from getam_core.evaluation import read_mask
from getam_core.evaluation.coco_masks import render
from getam_core.extras import needs
from getam_core.refine import dense_crf
from getam_core.saliency import rembg_saliency
from getam_core.segment.onnx_file import export_onnx
from getam_core.stores.coco import region
from getam_core.training.metrics import EventLog

IMPORT_ALL = """
import importlib, pkgutil, sys
optional = "ftfy mmcv mmengine mmseg onnx onnxruntime onnxscript pycocotools pydensecrf regex"
optional += " rembg scipy snakemake tensorboard yapf"
sys.modules |= dict.fromkeys(optional.split())
import getam_core
for module in pkgutil.walk_packages(getam_core.__path__, "getam_core."):
    if not module.name.startswith("getam_core.deeplab"):
        importlib.import_module(module.name)
import getam_core.deeplab
"""

CASES: dict[str, tuple[str, Callable[[Path], object]]] = {  # the module hidden, what needs it
    "coco": ("pycocotools", lambda folder: load_instances(folder / "instances.json")),
    "coco, masks": ("pycocotools", lambda _: render({}, [], {})),
    "coco, export": ("pycocotools", lambda _: region(np.ones((2, 2), bool))),
    "crf": (
        "pydensecrf.densecrf",
        lambda _: dense_crf(np.zeros((4, 4, 3), np.uint8), np.full((2, 4, 4), 0.5)),
    ),
    "onnx": (
        "onnxruntime",
        lambda folder: export_onnx(folder / "checkpoint.pt", folder / "n.onnx"),
    ),
    "rembg": ("rembg", lambda _: rembg_saliency("u2net")),
    "sbd": ("scipy.io", lambda folder: read_mask(folder / "2008_000008.mat")),
    "workflow": ("tensorboard", lambda folder: EventLog(folder, 0)),
}


def hide(monkeypatch, module):
    """Make every import of the module, or of a part of it, fail."""
    parts = [name for name in sys.modules if name.startswith(f"{module}.")]
    for name in (module, *parts):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("case", CASES)
def test_what_needs_a_missing_package_names_the_extra(case, monkeypatch, tmp_path):
    module, use = CASES[case]
    hide(monkeypatch, module)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    extra = case.split(",")[0]
    with pytest.raises(InputError, match=rf"pip install 'getam-core\[{extra}\]'"):
        use(tmp_path)


def test_all_but_deeplab_is_imported_without_any_extra(repository):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=repository, capture_output=True, text=True
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("getam_core.errors.InputError: mmsegmentation"), done.stderr
    assert "pip install 'getam-core[deeplab]'" in last


def test_every_extra_that_a_message_names_can_be_installed(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    sources = (path.read_text() for path in (repository / "getam_core").rglob("*.py"))
    named = {extra for text in sources for extra in re.findall(r'with needs\("(\w+)"', text)}
    assert named <= project["optional-dependencies"].keys()
    assert {"coco", "crf", "deeplab", "onnx", "rembg", "sbd", "workflow"} <= named


def test_packages_that_are_there_are_imported():
    with needs("coco", "run lengths"):
        from pycocotools import mask
    assert mask.area
