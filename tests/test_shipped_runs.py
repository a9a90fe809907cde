"""Every run that ships with the repository: its settings hold, and its networks fit together.

The networks are built and run on the meta device, where tensors have shapes but no values.
"""

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModule

from getam_core.deeplab import build_deeplab
from getam_core.networks import build_network
from getam_core.settings import load_settings
from workflow_scripts.retrain_deeplab import network_of
from workflow_scripts.saliency_network import build_saliency_network

RUNS = sorted(Path(__file__).parents[1].glob("config/*.yaml"), key=lambda path: len(path.stem))


def different(*sections):
    """Return runs that differ in some sections, one for each distinct content."""
    loaded = [(path.stem, load_settings(path, {"data_root": "."})) for path in RUNS]
    first = {run.select(*sections): (name, run) for name, run in reversed(loaded)}
    return [pytest.param(run, id=name) for name, run in first.values()]


def classes_of(settings):
    """Return the number of classes; two if they are found in the data."""
    return len(settings.data.classes or ("cat", "dog"))


def for_gpus():
    """Return the runs whose settings do not ask for a CPU."""
    loaded = [(path.stem, load_settings(path, {"data_root": "."})) for path in RUNS]
    return [pytest.param(run, id=name) for name, run in loaded if run.device != "cpu"]


@pytest.mark.parametrize("settings", for_gpus())
def test_a_network_for_gpus_is_trained_in_the_number_format_they_multiply(settings):
    assert (settings.train.precision, settings.deeplab.precision) == ("auto", "auto")


@pytest.mark.parametrize("settings", different("saliency"))
def test_the_saliency_network_is_built_and_runs(settings):
    size = settings.saliency.size
    with torch.device("meta"), torch.no_grad():
        network = build_saliency_network(settings, initial_weights=False).eval()
        assert network(torch.empty(1, 3, size, size)).shape[-2:] == (size, size)


@pytest.mark.parametrize("settings", different("data", "model"))
def test_the_network_is_built_and_runs(settings):
    model = settings.model.model_dump() | {"weights": None}
    if model["stem"]:
        model["stem"]["weights"] = None
    classes = classes_of(settings)
    side = settings.train.crop_size
    reads_values = (model["name"] or "").startswith("mit")  # in mmsegmentation's constructor
    with torch.device("cpu" if reads_values else "meta"):
        network = build_network(**model, num_classes=classes).to("meta").eval()
    with torch.device("meta"), torch.no_grad():
        logits, segmentation = network.classify_and_segment(torch.empty(1, 3, side, side))
    assert logits.shape == (1, classes)
    assert segmentation.shape == (1, classes + 1, side, side)


@pytest.mark.parametrize("settings", different("data", "deeplab"))
def test_the_network_that_is_retrained_is_built_and_runs(settings, monkeypatch):
    monkeypatch.setattr(BaseModule, "init_weights", lambda self: None)  # it reads values
    side = settings.deeplab.crop_size
    with torch.device("meta"), torch.no_grad():
        network = build_deeplab(**network_of(settings, classes_of(settings))).eval()
        logits = network.decode_head(network.extract_feat(torch.empty(1, 3, side, side)))
    assert logits.shape == (1, classes_of(settings) + 1, side // 8 + 1, side // 8 + 1)
