"""Training in bfloat16 on a CPU: attention by its definition, where the fused form is slower."""

import pytest
import torch
from torch.nn import functional as F

from getam_core import precision
from getam_core.activation.tape import record
from getam_core.precision import products_of_training
from tests.networks import random_images, tiny_network
from tests.training_kit import CPU


@pytest.fixture
def plain(monkeypatch):
    """What calls of attention were computed by its definition: the queries' shapes."""
    shapes, attention = [], precision._attention

    def watched(query, *others, **options):
        shapes.append(tuple(query.shape))
        return attention(query, *others, **options)

    monkeypatch.setattr(precision, "_attention", watched)
    return shapes


def tokens(*shape, dtype=torch.bfloat16):
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(3, *shape, generator=generator).to(dtype)
    return [x.clone().requires_grad_() for x in made]


@pytest.mark.parametrize("options", [{}, {"scale": 0.3}])
def test_values_and_gradients_are_those_of_fused_attention(plain, options):
    found = {}
    for dtype in (torch.bfloat16, torch.float32):
        q, k, v = tokens(2, 3, 17, 8, dtype=dtype)
        with products_of_training(CPU, dtype):
            output = F.scaled_dot_product_attention(q, k, v, **options)
        output.float().square().sum().backward()
        found[dtype] = [x.float() for x in (output, q.grad, k.grad, v.grad)]
    assert plain == [(2, 3, 17, 8)]
    for ours, fused in zip(*found.values(), strict=True):
        assert (ours - fused).abs().max() < 0.03 * fused.abs().max()


def test_a_training_step_uses_it_and_maps_still_see_every_block(plain):
    network = tiny_network()
    with products_of_training(CPU, torch.bfloat16), record(network) as tape:
        network.classify_and_segment(random_images(2, 3, 32, 32))
    assert len(plain) == len(tape.blocks) == len(network.vit.blocks)
    assert {block.output.dtype for block in tape.blocks} == {torch.bfloat16}


@pytest.mark.parametrize(
    "options",
    [{"attn_mask": torch.zeros(1, 1, 9, 9)}, {"is_causal": True}, {"dropout_p": 0.5}],
    ids=lambda options: next(iter(options)),
)
def test_other_attention_stays_fused(plain, options):
    with products_of_training(CPU, torch.bfloat16):
        F.scaled_dot_product_attention(*tokens(1, 2, 9, 8), **options)
    assert not plain


def test_so_does_attention_without_a_graph_or_whose_matrix_is_large(plain, monkeypatch):
    with products_of_training(CPU, torch.bfloat16):
        with torch.no_grad():
            F.scaled_dot_product_attention(*tokens(1, 2, 9, 8))
        monkeypatch.setattr(precision, "_LARGEST_ATTENTION", 2 * 9 * 9 * 2 - 1)
        F.scaled_dot_product_attention(*tokens(1, 2, 9, 8))
        assert not plain
        monkeypatch.setattr(precision, "_LARGEST_ATTENTION", 2 * 9 * 9 * 2)
        F.scaled_dot_product_attention(*tokens(1, 2, 9, 8))
        assert plain
