"""AFA's class maps and affinities, against their definition."""

import pytest
import torch
from torch.nn import functional as F

from getam_core.activation import METHODS, affinity_from, affinity_of, located, record
from getam_core.errors import InputError
from getam_core.inference.carried import carried
from getam_core.networks import build_network
from tests.networks import TINY, network_of, random_images

TARGETS = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=torch.bool)
AFA = {"head": "max_pooled", "affinity_blocks": 2}


def network():
    return network_of("vit", **AFA).double().eval()


def images():
    return random_images(3, 3, 64, 96).double()


def test_a_logit_is_the_classifier_on_the_maximum_of_each_feature():
    model = network()
    tokens = model.vit.forward_features(model.normalise(images()))[:, 1:]
    expected = tokens.amax(1) @ model.class_maps.weight[:, :, 0, 0].T
    torch.testing.assert_close(model(images()), expected)
    torch.testing.assert_close(model.classify_and_segment(images())[0], expected)
    maps, logits = model.locate(images())
    torch.testing.assert_close(logits, expected)
    at = tokens[0, 7] @ model.class_maps.weight[:, :, 0, 0].T  # row 1, column 1 of 4 x 6
    torch.testing.assert_close(maps[0, :, 1, 1], at)


@pytest.mark.parametrize("flip", [True, False])
def test_maps_are_the_sum_over_scales_of_the_larger_of_two_mirror_images(flip):
    model, total = network(), 0
    with torch.no_grad():
        for scale in (1.0, 0.5, 1.5):
            size = (int(64 * scale), int(96 * scale))
            view = F.interpolate(images(), size, mode="bilinear", antialias=True)
            maps = F.interpolate(model.locate(view)[0], (64, 96), mode="bilinear")
            back = F.interpolate(model.locate(view.flip(-1))[0], (64, 96), mode="bilinear")
            total = total + (torch.maximum(maps, back.flip(-1)) if flip else maps).relu()
    found = located(model, images(), TARGETS, flip=flip, size=(64, 96)).maps
    for pair, (image, class_index) in enumerate(TARGETS.nonzero().tolist()):
        own = total[image, class_index]
        expected = (own - own.min()) / (own.max() - own.min())
        torch.testing.assert_close(found[pair], expected.to(found), rtol=1e-4, atol=1e-5)


def test_the_heads_matrices_need_not_be_formed():
    model = network()
    with record(model) as tape:
        model(images())
    symmetric = 0
    for number, block in enumerate(tape.blocks[-2:]):
        scores = block.query[:, :, 1:] @ block.key[:, :, 1:].mT  # raw: not scaled
        weights = model.affinity.weight.view(2, 2)[number]
        symmetric = symmetric + torch.einsum("bhij,h->bij", scores + scores.mT, weights)
    expected = (symmetric + model.affinity.bias).sigmoid()
    torch.testing.assert_close(affinity_from(model, tape), expected)


def test_a_loss_on_affinity_reaches_queries_and_keys_only_of_a_tape_that_keeps_them():
    for keep in (True, False):
        model = network()
        with record(model, keep_graph=keep) as tape:
            model(images())
        affinity_from(model, tape).sum().backward()
        assert (model.vit.blocks[-1].attn.qkv.weight.grad is not None) == keep
        assert model.affinity.weight.grad.all()


def test_the_affinity_is_that_of_the_largest_view_not_mirrored():
    model = network()
    found = located(model, images(), TARGETS)
    expected, grid = affinity_of(model, images(), 1.5)
    assert found.grid == grid == (6, 9)
    torch.testing.assert_close(found.affinity, expected)


@pytest.mark.parametrize("method", ["getam", "afa"])
def test_maps_of_any_method_are_propagated_within_each_image(method):
    model = network()
    maps, logits = METHODS[method](model, images(), TARGETS)
    moved, same = carried(METHODS[method], scale=1.0, radius=99)(model, images(), TARGETS)
    squared = affinity_of(model, images())[0].square()
    for pair, image in enumerate(TARGETS.nonzero()[:, 0].tolist()):
        walk = squared[image] / squared[image].sum(0)
        expected = maps[pair].double().flatten() @ walk
        torch.testing.assert_close(moved[pair].flatten().double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(logits, same)


def test_networks_without_afas_heads_are_refused():
    with pytest.raises(InputError, match=r"model\.head to max_pooled"):
        METHODS["afa"](network_of("vit").eval(), images().float(), TARGETS)
    with pytest.raises(InputError, match="learned no affinity"):
        affinity_of(network_of("vit").eval(), images().float())
    with pytest.raises(InputError, match="affinity_blocks 9: the network has only 2"):
        build_network(**TINY | {"affinity_blocks": 9})
