"""AFA's step against an independent implementation of the paper, and what its parts learn from."""

from dataclasses import replace

import pytest
import torch

from benchmarks import plain_afa
from getam_core.training import Batch, Labelling
from getam_core.training.afa import Recipe, afa_step, classification_terms
from tests.networks import network_of, random_images

AFA = {"head": "max_pooled", "affinity_blocks": 2}
LABELS = {
    "method": "thresholds",
    "thresholds": (0.55, 0.35),
    "refinement": "par",
    "iterations": 10,
    "scale": 0.5,
}
RADIUS = 1  # the grid is 4 x 6 cells
RECIPE = Recipe(Labelling(labels=LABELS, method="afa"), radius=RADIUS)
WEIGHTS = {"classification": 1.0, "segmentation": 0.1, "affinity": 0.1}


def batch():
    valid = torch.ones(3, 64, 96, dtype=torch.bool)
    valid[:, :, 88:] = False
    return Batch(
        images=random_images(3, 3, 64, 96).double(),
        targets=torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=torch.bool),
        valid=valid,
        saliency=random_images(3, 64, 96) > 0.5,
    )


def network(**changes):
    """A network whose patches differ; with attention's small initial weights they hardly do."""
    model = network_of("vit", **AFA | changes).double().train()
    for block in model.vit.blocks:
        block.attn.qkv.weight.data.mul_(7)
    return model


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("propagated", [False, True])
def test_the_step_is_that_of_an_independent_implementation_of_the_paper(propagated):
    model, data = network(), batch()
    terms, labels = afa_step(model, data, RECIPE, propagated=propagated)
    loss = sum(WEIGHTS[name] * value for name, value in terms.items())
    found = gradients(model, loss)
    plain = plain_afa.step(model, data, propagated=propagated, radius=RADIUS)
    assert (labels == plain.labels).float().mean() > 0.999
    assert set(labels[0].unique().tolist()) > {0, 255}
    for value, expected in zip(terms.values(), plain.terms, strict=True):
        assert value.item() == pytest.approx(expected.item(), rel=1e-3)
    for name, gradient in gradients(model, plain.loss).items():
        assert gradient is not None, name
        error = (found[name] - gradient).norm() / gradient.norm().clamp_min(1e-9)
        assert error < 1e-2, name


def test_classification_alone_leaves_decoder_and_affinity_out():
    model = network()
    terms = classification_terms(model, batch())
    found = gradients(model, sum(terms.values()))
    assert found["affinity.weight"] is None and found["decoder.fusion.head.0.weight"] is None
    assert found["class_maps.weight"].any() and not terms["segmentation"] and not terms["affinity"]


def test_affinity_learns_from_reliable_labels_and_segmentation_from_propagated_ones():
    model, data = network(), batch()
    early, reliable = afa_step(model, data, RECIPE, propagated=False)
    late, propagated = afa_step(model, data, RECIPE, propagated=True)
    assert early["affinity"] == late["affinity"]
    assert not torch.equal(reliable, propagated)
    assert early["segmentation"] != late["segmentation"]


def test_balance_changes_the_affinity_term_alone():
    model, data = network(), batch()
    plain, labels = afa_step(model, data, RECIPE, propagated=False)
    balanced, same = afa_step(model, data, replace(RECIPE, balanced=True), propagated=False)
    assert plain["affinity"] != balanced["affinity"] and torch.equal(labels, same)
    assert plain["segmentation"] == balanced["segmentation"]


def test_an_uncounted_batch_has_no_loss():
    terms, labels = afa_step(network(), batch().uncounted(), RECIPE, propagated=True)
    assert (labels == 255).all() and not any(value.item() for value in terms.values())


UNIONS = {
    "GETAM's maps": ({"head": "class"}, "getam", LABELS),
    "GETAM's maps and completion": ({"head": "class"}, "getam", {"gamma": 8.0, "alpha": 0.8}),
    "AFA's maps and completion": ({}, "afa", {"gamma": 8.0, "alpha": 0.8}),
    "AFA with PAMR": ({}, "afa", LABELS | {"refinement": "pamr"}),
}


@pytest.mark.parametrize("name", UNIONS)
@pytest.mark.parametrize("propagated", [False, True])
def test_combinations_of_methods_train_every_parameter(name, propagated):
    changes, method, labels = UNIONS[name]
    model = network(**changes)
    recipe = replace(RECIPE, labelling=Labelling(labels=labels, method=method))
    terms, made = afa_step(model, batch(), recipe, propagated=propagated)
    assert all(g is not None for g in gradients(model, sum(terms.values())).values())
    assert len(made.unique()) > 2 and (made[:, :, 88:] == 255).all()
