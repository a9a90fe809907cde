import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from getam_core.training.optimisation import Schedule, build_optimizer
from tests.networks import SMALL, network_of
from tests.training_kit import PLAN

RATES = {"stem": 0.1, "backbone": 1.0, "heads": 2.0}


def schedule(**changes):
    values = {"steps": 20, "second_half": 10, "base": RATES, "second_half_scale": RATES}
    return Schedule(**(values | changes))


def test_poly_falls_over_the_whole_run_and_is_scaled_in_the_second_half():
    poly = schedule(second_half_scale=dict.fromkeys(RATES, 0.1))
    assert poly.rate("heads", 0) == 2
    assert poly.rate("heads", 9) == pytest.approx(2 * (1 - 9 / 20) ** 0.9)
    assert poly.rate("heads", 10) == pytest.approx(0.2 * (1 - 10 / 20) ** 0.9)


def test_cosine_restarts_for_the_second_half():
    cosine = schedule(kind="cosine", second_half_scale=dict.fromkeys(RATES, 1.0))
    assert cosine.rate("backbone", 0) == cosine.rate("backbone", 10) == 1
    assert cosine.rate("backbone", 5) == pytest.approx(0.5)
    assert cosine.rate("backbone", 9) == pytest.approx(0.5 * (1 + math.cos(0.9 * math.pi)))


def test_warm_up_rises_linearly_to_the_full_rate():
    warm = schedule(warmup=0.2)
    assert [warm.rate("backbone", step) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("kind", ["poly", "cosine"])
@pytest.mark.parametrize("second_half", [0, 20])
def test_one_half_alone_has_rates_at_every_step(kind, second_half):
    only = schedule(kind=kind, second_half=second_half, warmup=0.1)
    assert all(only.rate("stem", step) > 0 for step in range(20))


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_every_group_gets_its_own_rate_and_vectors_are_not_decayed(kind):
    layers = {"backbone": nn.Linear(2, 3), "stem": nn.Linear(3, 4), "heads": nn.Linear(4, 5)}
    groups = {name: list(layer.parameters()) for name, layer in layers.items()}
    optimizer = build_optimizer(groups, kind, weight_decay=0.5)
    schedule().apply(optimizer, 0)
    for group in optimizer.param_groups:
        assert group["lr"] == RATES[group["name"]]
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] == 0.5}
    owned = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in owned} == {id(p) for ps in groups.values() for p in ps}
    assert len(owned) == 6


def test_groups_without_parameters_are_left_out():
    groups = {"stem": [], "backbone": [nn.Parameter(torch.zeros(2, 2))], "heads": []}
    assert [g["name"] for g in build_optimizer(groups, "sgd", 0.1).param_groups] == ["backbone"]


def decayed(model):
    """Return the names of the parameters that a network's optimiser decays."""
    optimizer = replace(PLAN, weight_decay=0.5).optimizer_of(model)
    groups = [group for group in optimizer.param_groups if group["weight_decay"]]
    ids = {id(parameter) for group in groups for parameter in group["params"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in ids}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("vit", {}),
        ("distilled", {}),
        ("stem", {}),
        ("vit", {"options": {**SMALL, "reg_tokens": 4}}),
    ],
)
def test_tokens_and_positions_are_not_decayed(kind, changes):
    model = network_of(kind, **changes)
    names = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
    spared = {name for name in names if name.endswith(("_token", "pos_embed"))}
    assert {"vit.cls_token", "vit.pos_embed"} <= spared
    assert decayed(model) == names - spared


class Relative(nn.Module):
    """Attention with a table of relative positions, and a module that names what not to decay."""

    def __init__(self):
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros(9, 2))
        self.query, self.scales = nn.Linear(2, 2), nn.Parameter(torch.zeros(2, 2))

    def no_weight_decay(self):
        return {"scales"}

    def parameter_groups(self):
        return {"backbone": list(self.parameters())}


def test_what_a_module_names_and_tables_of_relative_positions_are_not_decayed():
    assert decayed(Relative()) == {"query.weight"}
