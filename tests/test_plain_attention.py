"""Training in half precision on a CPU: attention by its definition, where that is faster."""

import pytest
import torch
from torch import nn, optim
from torch.nn import functional as F

from getam_core.activation.tape import record
from getam_core.training import plain_attention
from getam_core.training.optimisation import Updater
from getam_core.training.plain_attention import PlainAttention
from tests.networks import random_images, tiny_network
from tests.training_kit import CPU


@pytest.fixture
def plain(monkeypatch):
    """What calls of attention were computed by its definition: the queries' shapes."""
    shapes, attention = [], plain_attention.plain_attention

    def watched(query, *others, **options):
        shapes.append(tuple(query.shape))
        return attention(query, *others, **options)

    monkeypatch.setattr(plain_attention, "plain_attention", watched)
    return shapes


def tokens(*shape, size=1.0, dtype=torch.bfloat16):
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(3, *shape, generator=generator).mul(size).to(dtype)
    return [x.clone().requires_grad_() for x in made]


def half():
    return torch.autocast("cpu", torch.bfloat16)


# Scores are rounded to 2^-8 of their size before the softmax: the larger, the rougher.
@pytest.mark.parametrize("size, tolerance", [(1, 0.03), (2, 0.1)])
@pytest.mark.parametrize("options", [{}, {"scale": 0.3}])
def test_values_and_gradients_are_those_of_fused_attention(plain, options, size, tolerance):
    found = []
    for dtype in (torch.bfloat16, torch.float32):
        q, k, v = tokens(2, 3, 17, 8, size=size, dtype=dtype)
        with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16), PlainAttention():
            output = F.scaled_dot_product_attention(q, k, v, **options)
        output.float().square().sum().backward()
        found.append([x.float() for x in (output, q.grad, k.grad, v.grad)])
    assert plain == [(2, 3, 17, 8)]
    for ours, fused in zip(*found, strict=True):
        assert (ours - fused).norm() < tolerance * fused.norm()


class Recorded(nn.Module):
    """An objective that needs maps: it records attention, as GETAM's step does."""

    def __init__(self):
        super().__init__()
        self.network, self.tapes = tiny_network(), []

    def forward(self, images, phase):
        with record(self.network) as tape:
            logits, segmentation = self.network.classify_and_segment(images)
        self.tapes.append(tape)
        loss = logits.sum() + segmentation.float().mean()
        return loss, loss.detach()[None]


@pytest.mark.parametrize("number_format", [torch.bfloat16, torch.float32])
def test_a_step_uses_it_in_half_precision_and_maps_still_see_every_block(plain, number_format):
    objective = Recorded()
    optimizer = optim.AdamW(objective.parameters())
    updater = Updater(objective.network, optimizer, CPU, number_format=number_format)
    updater.step(objective, [(1.0, random_images(2, 3, 32, 32))], "both")
    [tape] = objective.tapes
    blocks = len(objective.network.vit.blocks)
    assert len(tape.blocks) == blocks
    assert len(plain) == (blocks if number_format == torch.bfloat16 else 0)
    assert {block.output.dtype for block in tape.blocks} == {number_format}


@pytest.mark.parametrize(
    "options",
    [{"attn_mask": torch.zeros(1, 1, 9, 9)}, {"is_causal": True}, {"dropout_p": 0.5}],
    ids=lambda options: next(iter(options)),
)
def test_other_attention_stays_fused(plain, options):
    with half(), PlainAttention():
        F.scaled_dot_product_attention(*tokens(1, 2, 9, 8), **options)
    assert not plain


def test_attention_without_a_graph_or_without_autocast_stays_fused(plain):
    with half(), PlainAttention():
        with torch.no_grad():
            F.scaled_dot_product_attention(*tokens(1, 2, 9, 8))
        with torch.autocast("cpu", enabled=False):  # maps of a training in float16
            F.scaled_dot_product_attention(*tokens(1, 2, 9, 8, dtype=torch.float32))
    assert not plain


@pytest.mark.parametrize("spare", [-1, 0])
def test_attention_whose_matrix_is_large_stays_fused(plain, monkeypatch, spare):
    monkeypatch.setattr(plain_attention, "LARGEST", 2 * 9 * 9 * 2 + spare)
    with half(), PlainAttention():
        F.scaled_dot_product_attention(*tokens(1, 2, 9, 8))
    assert len(plain) == (spare == 0)
