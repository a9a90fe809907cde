"""The tables' own parts: what they compare is the same computation, on the device asked for."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks import affinity, published, step
from benchmarks.__main__ import parse
from benchmarks.labels import straightforward_pamr
from benchmarks.memory import peak_megabytes
from benchmarks.timing import CPU, compare
from getam_core.networks import build_network
from getam_core.training import Labelling, double_backward_step
from getam_core.training.optimisation import build_optimizer
from tests.networks import TINY

CUDA = torch.device("cuda")
SMALL = {key: value for key, value in TINY.items() if key != "num_classes"}


def small_network():
    torch.manual_seed(0)
    return build_network(num_classes=step.CLASSES, **SMALL).train()


@pytest.mark.parametrize(("form", "least"), [(torch.float32, 0.999), (torch.bfloat16, 0.9)])
def test_the_published_step_labels_as_ours_and_updates(form, least):
    network, batch = small_network(), step.made_batch(4, SMALL["image_size"])
    expected = double_backward_step(network, batch, Labelling()).labels
    optimizer = build_optimizer(network.parameter_groups(), "sgd", 5e-4)
    labels = published.step(network, batch, optimizer, form)
    assert (labels == expected).float().mean() >= least
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(g is None or (g.dtype == torch.float32 and g.isfinite().all()) for g in gradients)
    assert any(g is not None and g.any() for g in gradients)


def test_the_published_step_computes_in_the_format_asked_for(monkeypatch):
    network, batch = small_network(), step.made_batch(2, SMALL["image_size"])
    optimizer = build_optimizer(network.parameter_groups(), "sgd", 5e-4)
    seen = []
    network.vit.blocks[0].mlp.fc1.register_forward_hook(lambda *a: seen.append(a[2].dtype))
    refine = published.straightforward_pamr
    monkeypatch.setattr(
        published, "straightforward_pamr", lambda *a: seen.append(a[1].dtype) or refine(*a)
    )
    published.step(network, batch, optimizer, torch.bfloat16)
    own, labels = torch.bfloat16, torch.float32
    assert seen == [own, labels, labels, own]  # maps, two images' labels, losses


def test_a_row_has_a_figure_for_every_column():
    case = step.Case("small", SMALL, Labelling())
    measured = step.rows(case, 1, CPU)
    assert [row[0].split(", ")[1] for row in measured] == [
        str(form).removeprefix("torch.") for form in step.formats(CPU)
    ]
    for row in measured:
        a, _, c, per_second, ratio, *_ = (float(figure) for figure in row[1:8])
        assert len(row) == len(step.COLUMNS)
        assert per_second == pytest.approx(step.IMAGES / c, rel=0.2)  # three decimals of seconds
        assert ratio == pytest.approx(a / c, rel=0.2)
    assert float(measured[0][7]) == 100


def test_the_papers_setting_is_that_of_its_run():
    case = step.paper_case()
    assert (case.name, case.side, step.IMAGES) == ("vit_base_r50_s16_384", 256, 4)
    assert case.model["weights"] is None
    assert case.labelling.maps["blocks"] == 6
    assert case.labelling.labels["opening"] == 10


def test_a_gpus_work_is_waited_for_and_its_memory_is_its_own_count(monkeypatch):
    done = []
    calls = {"synchronize": None, "reset_peak_memory_stats": None}
    for name, value in (calls | {"memory_allocated": 3e6, "max_memory_allocated": 10e6}).items():
        monkeypatch.setattr(
            torch.cuda, name, lambda device, n=name, v=value: done.append((n, device)) or v
        )
    _, results = compare({"form": lambda: done.append("form") or 1}, 1, CUDA)
    wait = ("synchronize", CUDA)
    assert (results, done) == ({"form": 1}, [wait, "form", wait])
    done.clear()
    assert peak_megabytes(lambda: done.append("form"), CUDA) == 7
    assert [call if call == "form" else call[0] for call in done] == [
        "reset_peak_memory_stats", "memory_allocated", "form", "max_memory_allocated",
    ]  # fmt: skip


def test_a_cpus_peak_is_what_was_resident_for_a_while():
    peak = peak_megabytes(lambda: torch.ones(25_000_000).sum())
    assert peak is None or 95 < peak < 120


def test_the_straightforward_refinement_stays_on_its_device():
    with FakeTensorMode(allow_non_fake_inputs=True):
        images, maps = torch.empty(1, 3, 32, 32, device=CUDA), torch.empty(1, 2, 4, 4, device=CUDA)
        refined = straightforward_pamr(images, maps)
    assert (refined.device.type, refined.shape) == ("cuda", (1, 2, 32, 32))


@pytest.mark.parametrize("learns", [True, False])
def test_the_forms_of_affinity_are_one_computation(learns):
    figures = affinity.row("small", 320, learns, 1)
    assert len(figures) == len(affinity.COLUMNS) and float(figures[-1]) < 1e-4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["maps", "--device", "cuda"], "only `step`"),
        (["--device", "cuda"], "no GPU"),
        (["speed"], "tables are maps"),
    ],
)
def test_what_a_device_cannot_measure_is_said(words, said, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        parse(words)
    assert said in capsys.readouterr().err


def test_a_gpu_measures_the_step_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert parse(["--device", "cuda"]).tables == ["step"]
    assert parse([]).tables == ["maps", "labels", "loader", "step", "affinity"]
