import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from getam_core.activation import METHODS, couple, getam, maps_from, record
from getam_core.activation.models import grid_of
from getam_core.networks import build_classifier
from tests.explained import IMAGE, TARGETS, hybrid, kinds_for, model_of
from tests.explicit import coupled_by_loops, explicit_getam, relative_difference


@pytest.fixture(scope="module")
def vit():
    return model_of("vit")


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, *IMAGE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("blocks", "chosen"), [(1, [2]), (2, [1, 2]), ([0, 2], [0, 2])])
def test_the_sum_runs_over_the_blocks_asked_for(vit, images, blocks, chosen, monkeypatch):
    maps, _ = getam(vit, images, TARGETS, blocks=blocks)
    want = explicit_getam(vit, images, TARGETS, "per_head", chosen, monkeypatch)
    assert relative_difference(maps, want) < 1e-5


def test_coupling_by_hand():
    attention = torch.tensor([[[0.5, 0.2], [0.1, 0.4]]])
    gradient = torch.tensor([[[2.0, -1.0], [-4.0, 3.0]]])
    per_head = couple(attention, gradient, "per_head")
    torch.testing.assert_close(per_head, torch.tensor([[0.5 * 1.0, 0.6 * 1.5]]))
    head_mean = couple(attention, gradient, "head_mean")
    torch.testing.assert_close(head_mean, torch.tensor([[0.0, 1.0 * 0.3 * 1.0]]))


@given(
    pairs=st.integers(0, 3),
    heads=st.integers(1, 4),
    patches=st.integers(1, 6),
    coupling=st.sampled_from(["per_head", "head_mean"]),
    seed=st.integers(0, 100),
)
def test_coupling_agrees_with_loops(pairs, heads, patches, coupling, seed):
    generator = np.random.default_rng(seed)
    attention = generator.random((pairs, heads, patches))
    gradient = generator.normal(size=(pairs, heads, patches))
    got = couple(torch.from_numpy(attention), torch.from_numpy(gradient), coupling).numpy()
    for m in range(pairs):
        np.testing.assert_allclose(got[m], coupled_by_loops(attention[m], gradient[m], coupling))


@pytest.mark.parametrize(("method", "kind"), [(m, kind) for m in METHODS for kind in kinds_for(m)])
def test_passes_shared_by_images_give_each_pair_its_own_map(kind, method, images):
    model = model_of(kind)
    maps, logits = METHODS[method](model, images, TARGETS)
    assert logits.shape == (3, 4) and not maps.requires_grad and (maps >= 0).all()
    for pair, (image, class_id) in enumerate(TARGETS.nonzero().tolist()):
        alone = torch.zeros(1, 4, dtype=torch.bool)
        alone[0, class_id] = True
        one, _ = METHODS[method](model, images[image : image + 1], alone)
        torch.testing.assert_close(maps[pair], one[0], rtol=1e-4, atol=float(one.max()) * 1e-4)


@pytest.mark.parametrize("method", list(METHODS))
def test_a_batch_without_classes_has_no_maps(method, images):
    model = model_of(kinds_for(method)[0])
    maps, logits = METHODS[method](model, images, torch.zeros_like(TARGETS))
    assert maps.shape == (0, 4, 6) and logits.shape == (3, 4)


def hybrid_in_training(head="class"):
    return hybrid(stem={"name": "test_resnet"}, head=head, drop_path_rate=0.5)


MODELS_IN_TRAINING = {
    "ts_cam": lambda: hybrid_in_training("ts_cam"),
    "afa": lambda: hybrid_in_training("max_pooled"),
    "cnn_cam": lambda: build_classifier(stem={"name": "test_resnet"}, num_classes=4),
}


@pytest.mark.parametrize("method", list(METHODS))
def test_the_model_is_left_as_it_was(method, images):
    model = MODELS_IN_TRAINING.get(method, hybrid_in_training)().train()
    model.stem.eval()
    modes = [m.training for m in model.modules()]
    next(model.parameters()).requires_grad_(False)
    trainable = [p.requires_grad for p in model.parameters()]
    state = copy.deepcopy(model.state_dict())
    name, weight = list(model.named_parameters())[-1]
    weight.grad = torch.ones_like(weight)
    first, _ = METHODS[method](model, images, TARGETS)
    second, _ = METHODS[method](model, images, TARGETS)
    assert torch.equal(first, second)  # no stochastic depth in a map pass
    assert [m.training for m in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == trainable
    assert [n for n, p in model.named_parameters() if p.grad is not None] == [name]
    assert (weight.grad == 1).all()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_maps_need_neither_a_recording_caller_nor_trainable_parameters(method, context, images):
    model = model_of(kinds_for(method)[0])
    want, _ = METHODS[method](model, images, TARGETS)
    frozen = copy.deepcopy(model).requires_grad_(False)
    with context():
        maps, logits = METHODS[method](frozen, images.clone(), TARGETS)
    torch.testing.assert_close(maps, want)
    assert not logits.requires_grad


def test_training_uses_its_own_forward_for_maps_without_changing_its_gradients(images):
    model = model_of("stem hybrid")

    def step(with_maps):
        model.zero_grad()
        with record(model) as tape:
            logits, segmentation = model.classify_and_segment(images)
        maps = None
        if with_maps:
            maps = maps_from(tape, logits, TARGETS, grid=model.grid(IMAGE))
        (logits.sum() + segmentation.square().mean()).backward()
        return maps, [p.grad.clone() for p in model.parameters()]

    _, plain = step(with_maps=False)
    maps, with_maps = step(with_maps=True)
    assert all(torch.equal(a, b) for a, b in zip(plain, with_maps, strict=True))
    want, _ = getam(model, images, TARGETS)
    torch.testing.assert_close(maps, want, rtol=1e-4, atol=float(want.max()) * 1e-5)


def test_under_autocast_maps_are_float32(vit, images):
    want, _ = getam(vit, images, TARGETS)
    with torch.autocast("cpu", torch.bfloat16):
        maps, _ = getam(vit, images, TARGETS)
    assert maps.dtype == torch.float32
    assert np.corrcoef(maps.flatten(), want.flatten())[0, 1] > 0.98


@pytest.mark.parametrize(
    ("patches", "image_size", "grid"),
    [(600, (320, 480), (20, 30)), (600, (480, 320), (30, 20)), (49, (224, 224), (7, 7)),
     (24, (64, 97), (4, 6)), (5, (16, 80), (1, 5))],
)  # fmt: skip
def test_the_grid_is_that_of_the_images_aspect(patches, image_size, grid):
    assert grid_of(patches, image_size) == grid
