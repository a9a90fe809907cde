"""A step never waits for its device: on tensors without data there is nothing to read.

Tensors on torch's `meta` device have shapes but no values, and whatever needs a value on the host
raises. Network and images are on that device, targets in host memory.
"""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from getam_core.labels import label_images
from getam_core.training import Batch, DenseEnergy, Getam, Labelling, Recipe
from getam_core.training.afa import afa_step
from getam_core.training.getam import BOTH
from tests.networks import SMALL, network_of
from tests.training_kit import WEIGHTS

SIDE = 64
META = torch.device("meta")
TARGETS = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]], dtype=torch.bool)
BATCH = Batch(
    images=torch.empty(4, 3, SIDE, SIDE, device=META),
    targets=TARGETS,
    valid=torch.empty(4, SIDE, SIDE, dtype=torch.bool, device=META),
    saliency=torch.empty(4, SIDE, SIDE, dtype=torch.bool, device=META),
)
FAST = {"iterations": 1}
RANDOM = {"options": {**SMALL, "drop_path_rate": 0.2}}  # so maps get their own forward pass


class Unblocked(TorchDispatchMode):
    """Refuses copies from host memory that the host would wait for."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.ops.aten._to_copy.default and args[0].device != META:
            to_device = kwargs.get("device") == META
            assert not to_device or kwargs.get("non_blocking"), "the host waits for a copy"
        return function(*args, **kwargs)


def step(network, batch, labelling, monkeypatch, **weights):
    """Take a step of the second half, forward and backward; return the loss."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta has none
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    energy = DenseEnergy()
    objective = Getam(network.to(META).train(), labelling, WEIGHTS | weights, energy=energy)
    with Unblocked():
        loss, _ = objective(batch, BOTH)
        loss.backward()
    return loss


@pytest.mark.parametrize(
    ("options", "saliency"),
    [
        ({"refinement": "pamr", "scale": 0.5}, True),
        ({"refinement": "pamr"}, False),
        ({"refinement": "none", "alpha": 0.0, "opening": 4}, True),
        ({"refinement": "none", "conflicts": False}, True),
        ({"refinement": "par"}, True),
    ],
)
def test_a_batch_is_labelled_without_a_read(options, saliency):
    owner, classes = TARGETS.nonzero(as_tuple=True)
    maps = torch.empty(len(owner), 4, 4, device=META)
    salient = BATCH.saliency if saliency else None
    with Unblocked():
        labels = label_images(BATCH.images, maps, owner, classes + 1, salient, **FAST, **options)
    assert labels.shape == (4, SIDE, SIDE) and labels.dtype == torch.uint8


@pytest.mark.parametrize(
    ("kind", "fusion"), [("vit", "sum"), ("vit", "matrix"), ("stem", "product")]
)
def test_a_step_is_taken_without_a_read(kind, fusion, monkeypatch):
    labelling = Labelling({"fusion": fusion}, FAST)
    assert step(network_of(kind), BATCH, labelling, monkeypatch).device == META


def test_a_step_with_the_dense_energy_is_taken_without_a_read(monkeypatch):
    network = network_of("vit")
    assert step(network, BATCH, Labelling({}, FAST), monkeypatch, dense_energy=1.0).device == META


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("getam", RANDOM),
        ("attention_gradient", RANDOM),
        ("grad_cam", {}),
        ("cam_add", {}),
        ("ts_cam", {"head": "ts_cam"}),
        ("cnn_cam", {"name": None, "stem": {"name": "test_resnet", "max_stride": 16}}),
    ],
)
def test_a_step_with_a_pass_for_its_maps_is_taken_without_a_read(method, changes, monkeypatch):
    labelling = Labelling({}, FAST, method)
    assert step(network_of("vit", **changes), BATCH, labelling, monkeypatch).device == META


@pytest.mark.parametrize("method", ["afa", "getam"])
@pytest.mark.parametrize("labels", [{"method": "thresholds"}, {"method": "completion"}])
def test_a_step_of_afa_is_taken_without_a_read(method, labels, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    head = "max_pooled" if method == "afa" else "class"
    network = network_of("vit", head=head, affinity_blocks=2).to(META).train()
    refining = {"thresholds": (0.55, 0.35), "refinement": "par", "scale": 0.5}
    recipe = Recipe(Labelling({}, FAST | refining | labels, method))
    with Unblocked():
        terms, _ = afa_step(network, BATCH, recipe, propagated=True)
        sum(terms.values()).backward()
    assert terms["affinity"].device == META


def test_targets_on_the_device_would_be_read(monkeypatch):
    batch = replace(BATCH, targets=TARGETS.to(META))
    with pytest.raises(NotImplementedError, match="meta tensor; no data"):
        step(network_of("vit"), batch, Labelling(), monkeypatch)


def test_a_copy_that_blocks_would_be_found():
    with Unblocked(), pytest.raises(AssertionError, match="waits"):
        TARGETS.to(META)
