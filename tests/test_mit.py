"""The Mix Transformer: AFA's strides, its attention as recorded, weights in the official format."""

import math

import pytest
import torch
from torch import nn

from getam_core.activation import METHODS, affinity_from, located, record
from getam_core.errors import InputError
from getam_core.networks import build_network
from getam_core.training import Labelling
from getam_core.training.afa import Recipe, afa_step
from tests.networks import random_images
from tests.test_afa_step import LABELS, batch

SMALL = {"num_layers": [1, 1, 1, 2], "embed_dims": 8, "drop_path_rate": 0.0}
TARGETS = torch.tensor([[1, 0, 1], [0, 1, 0]], dtype=torch.bool)


def network(**changes):
    torch.manual_seed(0)
    options = SMALL | changes.pop("options", {})
    arguments = {"num_classes": 3, "image_size": 64, "decoder_width": 8, "affinity_blocks": 2}
    return build_network(name="mit_b1", options=options, **arguments | changes)


def official(backbone):
    """The same weights under the names and shapes of the official file, with a classifier."""
    state = {"head.weight": torch.zeros(10, 64), "head.bias": torch.zeros(10)}
    for number, (embed, blocks, norm) in enumerate(backbone.layers, 1):
        parts = {f"patch_embed{number}.proj": embed.projection}
        parts |= {f"patch_embed{number}.norm": embed.norm, f"norm{number}": norm}
        for b, block in enumerate(blocks):
            name, attention, feed = f"block{number}.{b}", block.attn, block.ffn.layers
            parts |= {f"{name}.norm1": block.norm1, f"{name}.norm2": block.norm2}
            parts |= {f"{name}.attn.proj": attention.attn.out_proj}
            if attention.sr_ratio > 1:
                parts |= {f"{name}.attn.sr": attention.sr, f"{name}.attn.norm": attention.norm}
            parts |= {f"{name}.mlp.dwconv.dwconv": feed[1]}
            width = attention.attn.embed_dim
            for kind in ("weight", "bias"):
                projection = getattr(attention.attn, f"in_proj_{kind}")
                state[f"{name}.attn.q.{kind}"] = projection[:width]
                state[f"{name}.attn.kv.{kind}"] = projection[width:]
                for which, place in (("fc1", 0), ("fc2", 4)):
                    value = getattr(feed[place], kind)
                    state[f"{name}.mlp.{which}.{kind}"] = (
                        value.flatten(1) if value.ndim > 1 else value
                    )
        for name, module in parts.items():
            state |= {f"{name}.{kind}": value for kind, value in module.named_parameters()}
    return {name: value.detach().clone() for name, value in state.items()}


def test_features_are_at_the_strides_of_afa():
    model, images = network().eval(), random_images(2, 3, 64, 96)
    shapes = [tuple(f.shape[1:]) for f in model.backbone(images)]
    assert shapes == [(8, 16, 24), (16, 8, 12), (40, 4, 6), (64, 4, 6)]
    logits, segmentation = model.classify_and_segment(images)
    assert segmentation.shape == (2, 4, 64, 96)
    torch.testing.assert_close(model(images), logits)
    with pytest.raises(InputError, match="multiples of 16"):
        model(random_images(1, 3, 64, 90))


def test_the_last_stage_is_recorded_as_it_attends():
    model, images = network().eval(), random_images(2, 3, 64, 96)
    inputs = []
    block = model.backbone.layers[-1][1][-1]
    block.norm1.register_forward_hook(lambda _m, _i, out: inputs.append(out))
    with record(model, prefix=0) as tape:
        recorded = model(images)
    assert len(tape.blocks) == 5 and tape.blocks[-1].key.shape == (2, 8, 24, 8)
    attention, x = block.attn.attn, inputs[0]
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    query, key, _ = (x @ weight.T + bias).chunk(3, -1)
    query, key = (t.unflatten(2, (8, 8)).transpose(1, 2) for t in (query, key))
    torch.testing.assert_close(tape.blocks[-1].query, query)
    torch.testing.assert_close(tape.blocks[-1].key, key)
    torch.testing.assert_close(model(images), recorded)
    assert affinity_from(model, tape).shape == (2, 24, 24)


def test_leaving_attentions_weights_out_changes_nothing():
    model, images = network().eval(), random_images(1, 3, 64, 64)
    fast = model(images)
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            module._forward_pre_hooks.clear()
    torch.testing.assert_close(model(images), fast)


def test_afas_step_trains_every_parameter():
    model = network().double().train()
    terms, _ = afa_step(
        model, batch(), Recipe(Labelling(labels=LABELS, method="afa")), propagated=True
    )
    sum(terms.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    groups = model.parameter_groups()
    assert sum(map(len, groups.values())) == len(list(model.parameters()))


def test_its_maps_are_afas_alone():
    model, images = network().eval(), random_images(2, 3, 64, 64)
    assert located(model, images, TARGETS).maps.shape == (3, 4, 4)
    with pytest.raises(InputError, match=r"no \[class\] token"):
        METHODS["getam"](model, images, TARGETS)


def test_official_weights_are_converted_key_by_key(tmp_path):
    path, source = tmp_path / "mit_b1.pth", network()
    torch.save(official(source.backbone), path)
    torch.manual_seed(1)
    model = network(weights=path)
    for name, value in source.backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv1.weight": torch.zeros(1)}, "conv1.weight does not belong to a Mix"),
        ({"block4.1.attn.kv.weight": None}, "block4.1.attn.q.weight is .* the network's"),
        ({"norm3.bias": None}, r"1 weights missing \(layers.2.2.bias\)"),
        ({"block1.3.norm1.weight": torch.zeros(8)}, r"1 unexpected \(block1.3.norm1.weight\)"),
        ({"patch_embed1.proj.weight": torch.zeros(8, 3, 3, 3)}, "patch_embed1.proj.weight is"),
    ],
)
def test_other_weights_are_refused_with_the_key(tmp_path, change, message):
    path = tmp_path / "mit_b1.pth"
    state = official(network().backbone) | change
    torch.save({key: value for key, value in state.items() if value is not None}, path)
    with pytest.raises(InputError, match=message):
        network(weights=path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "mit_b9"}, "Mix Transformer 'mit_b9': expected mit_b0, mit_b1"),
        ({"options": {"depth": 3}}, "model.options: .*depth"),
        ({"affinity_blocks": 3}, "affinity_blocks 3: the last stage of mit_b1 has only 2"),
        ({"weights": "hub"}, "hub"),
    ],
)
def test_what_it_cannot_be_built_of_is_refused(changes, message):
    arguments = {"name": "mit_b1", "num_classes": 3, "image_size": 64, "options": SMALL} | changes
    with pytest.raises(InputError, match=message):
        build_network(**arguments)


def test_b1_has_the_published_size():
    model = build_network(name="mit_b1", num_classes=20, image_size=64)
    size = sum(p.numel() for p in model.backbone.parameters())
    assert math.isclose(size, 13.2e6, rel_tol=0.01)  # SegFormer: 13.1 to 13.2 million
