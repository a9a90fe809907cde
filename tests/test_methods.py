"""The maps that GETAM is compared with, against their definitions; fusion of blocks and views."""

import numpy as np
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from getam_core.activation import (
    METHODS,
    attention_gradient,
    averaged,
    cam_add,
    cam_ignore,
    cnn_cam,
    fuse,
    getam,
    getam_blocks,
    grad_cam,
    ts_cam,
)
from getam_core.errors import InputError
from getam_core.settings import METHOD_NAMES
from tests.explained import IMAGE, TARGETS, kinds_for, model_of
from tests.explicit import explicit_rows, relative_difference

PAIRS = TARGETS.nonzero().tolist()


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, *IMAGE, generator=torch.Generator().manual_seed(1))


def test_the_settings_name_the_methods():
    assert tuple(METHODS) == METHOD_NAMES


@pytest.mark.parametrize("kind", ["vit", "distilled", "stem hybrid"])
@pytest.mark.parametrize("blocks", [None, 1])
def test_attention_gradient_is_that_of_explicit_attention(kind, blocks, images, monkeypatch):
    model, want = model_of(kind), []
    maps, _ = attention_gradient(model, images, TARGETS, blocks=blocks)
    for rows in explicit_rows(model, images, TARGETS, monkeypatch):
        chosen = rows if blocks is None else rows[-blocks:]
        products = [np.maximum(a[:, 0] * g[:, 0], 0).mean(0) for a, g in chosen]
        want.append(sum(products)[model.num_prefix_tokens :])
    assert relative_difference(maps, np.stack(want)) < 1e-5


def coupled(attention, gradient, coupling):
    """Eq. 2 on whole matrices, (H, S, S) -> (S, S)."""
    if coupling == "per_head":
        return np.maximum(attention * gradient, 0).mean(0) * np.maximum(gradient, 0).mean(0)
    a, g = attention.mean(0), gradient.mean(0)
    return np.maximum(a * g, 0) * np.maximum(g, 0)


def unit(x):
    return x / max(x.max(), 1e-300)


@pytest.mark.parametrize("coupling", ["per_head", "head_mean"])
@pytest.mark.parametrize("fusion", ["product", "matrix"])
@pytest.mark.parametrize(
    ("kind", "blocks"),
    # In BEiT nothing reads the last block's [class] token: its row has no gradient.
    [("vit", [0, 1, 2]), ("distilled", [0, 1, 2]), ("relative position", [0, 1])],
)
def test_fusions_are_products_of_explicit_matrices(
    kind, blocks, fusion, coupling, images, monkeypatch
):
    model, images = model_of(kind).double(), images.double()
    maps, _ = getam(model, images, TARGETS, fusion=fusion, coupling=coupling, blocks=blocks)
    rows = explicit_rows(model, images, TARGETS, monkeypatch)
    for got, matrices in zip(maps, rows, strict=True):
        coupled_matrices = [coupled(*matrices[block], coupling) for block in blocks]
        if fusion == "matrix":
            want = unit(np.linalg.multi_dot(coupled_matrices[::-1])[0])[model.num_prefix_tokens :]
        else:
            patches = [matrix[0, model.num_prefix_tokens :] for matrix in coupled_matrices]
            want = np.prod([unit(patch) for patch in patches], axis=0)
        np.testing.assert_allclose(got.flatten(), want, rtol=1e-9, atol=1e-12)
    assert maps.max() > 0


def test_a_matrix_product_is_the_same_whatever_its_rows_at_a_time(images, monkeypatch):
    model = model_of("vit")
    want, _ = getam(model, images, TARGETS, fusion="matrix")
    monkeypatch.setattr("getam_core.activation.fusion.ROWS", 1)
    got, _ = getam(model, images, TARGETS, fusion="matrix")
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-6)


def test_fusions_of_stored_blocks_are_those_of_the_network(images):
    model = model_of("vit")
    blocks, _ = getam_blocks(model, images, TARGETS)
    for fusion in ("sum", "product"):
        torch.testing.assert_close(
            fuse(blocks, fusion), getam(model, images, TARGETS, fusion=fusion)[0]
        )


def test_a_product_of_tiny_maps_does_not_vanish():
    maps = torch.full((1, 12, 2, 2), 1e-12)
    maps[0, :, 0, 0] = 2e-12
    torch.testing.assert_close(fuse(maps, "product")[0], torch.tensor([[1, 1], [1, 1]]) * 0.5**12
                               + torch.tensor([[1 - 0.5**12, 0], [0, 0]]))  # fmt: skip


def test_grad_cam_agrees_with_autograd_pair_by_pair(images):
    model = model_of("vit")
    maps, _ = grad_cam(model, images, TARGETS)
    seen = []
    hook = model.blocks[-1].norm1.register_forward_hook(lambda _m, _i, out: seen.append(out))
    logits = model(images)
    hook.remove()
    for pair, (image, class_id) in enumerate(PAIRS):
        (gradient,) = torch.autograd.grad(logits[image, class_id], seen[0], retain_graph=True)
        weights, tokens = gradient[image, 1:].mean(0).numpy(), seen[0][image, 1:].detach().numpy()
        want = np.maximum([float(weights @ token) for token in tokens], 0).reshape(4, 6)
        np.testing.assert_allclose(maps[pair], want, rtol=1e-4, atol=want.max() * 1e-5)


@pytest.mark.parametrize("method", [cam_ignore, cam_add])
def test_cam_on_patches_averages_the_two_heads_of_a_distilled_network(method, images):
    model = model_of("distilled")
    maps, _ = method(model, images, TARGETS)
    with torch.no_grad():
        tokens = model.forward_features(images)
    patches = tokens[:, 2:] + (tokens[:, :1] if method is cam_add else 0)
    weight = (model.head.weight + model.head_dist.weight).detach().numpy() / 2
    for pair, (image, class_id) in enumerate(PAIRS):
        want = np.maximum(patches[image].numpy() @ weight[class_id], 0).reshape(4, 6)
        np.testing.assert_allclose(maps[pair], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", kinds_for("ts_cam"))
def test_ts_cam_is_attention_times_the_map_whose_mean_is_the_logit(kind, images, monkeypatch):
    model = model_of(kind)
    maps, logits = ts_cam(model, images, TARGETS)
    prefix = model.num_prefix_tokens
    with torch.no_grad():
        tokens = model.vit.forward_features(model.normalise(images))[:, prefix:]
        semantic = model.class_maps(tokens.mT.reshape(3, -1, 4, 6))
    torch.testing.assert_close(logits, semantic.mean((2, 3)))
    rows = explicit_rows(model, images, TARGETS, monkeypatch)
    for got, (image, class_id), matrices in zip(maps, PAIRS, rows, strict=True):
        attention = sum(a.mean(0)[0, prefix:] for a, _ in matrices).reshape(4, 6)
        want = attention * np.maximum(semantic[image, class_id].numpy(), 0)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=want.max() * 1e-5)


@pytest.mark.parametrize("kind", kinds_for("cnn_cam"))
def test_cnn_cam_weighs_the_last_map_and_its_mean_is_the_logit(kind, images):
    model = model_of(kind)
    maps, logits = cnn_cam(model, images, TARGETS)
    with torch.no_grad():
        features, head = model.forward_features(images).numpy(), model.get_classifier()
    for pair, (image, class_id) in enumerate(PAIRS):
        signed = np.tensordot(head.weight[class_id].detach().numpy(), features[image], axes=1)
        want = np.maximum(signed, 0)
        np.testing.assert_allclose(maps[pair], want, rtol=1e-4, atol=1e-5)
        mean = signed.mean() + head.bias[class_id].item()
        assert mean == pytest.approx(float(logits[image, class_id]), rel=1e-4, abs=1e-5)


def mobilenet():
    return timm.create_model("mobilenetv3_small_050", num_classes=4)


@pytest.mark.parametrize(
    ("method", "build", "message"),
    [
        (cnn_cam, lambda: mobilenet(), "other layers lie between|features are"),
        (cnn_cam, lambda: model_of("vit"), "not a CNN with a linear head"),
        (cnn_cam, lambda: torch.nn.Flatten(), "forward_features"),
        (ts_cam, lambda: model_of("vit"), "head: ts_cam"),
        (cam_ignore, lambda: model_of("TS-CAM"), "no linear class head"),
        (cam_add, lambda: model_of("CNN"), "timm's transformers"),
        (grad_cam, lambda: model_of("CNN"), "timm's transformers"),
        (attention_gradient, lambda: model_of("CNN"), r"no \[class\] token"),
    ],
)  # fmt: skip
def test_a_network_that_cannot_serve_is_refused_with_the_reason(method, build, message, images):
    with pytest.raises(InputError, match=message):
        method(build().eval(), images, TARGETS)


@pytest.mark.parametrize("method", list(METHODS))
def test_mirrored_views_make_the_maps_symmetric(method, images):
    model = model_of(kinds_for(method)[-1])
    wrapped = averaged(METHODS[method], flip=True, stride=32)
    maps, logits = wrapped(model, images, TARGETS)
    mirrored, mirrored_logits = wrapped(model, images.flip(-1), TARGETS)
    torch.testing.assert_close(maps, mirrored.flip(-1), rtol=1e-4, atol=float(maps.max()) * 1e-5)
    torch.testing.assert_close(logits, mirrored_logits)
    empty, _ = averaged(METHODS[method], scales=[1, 2], flip=True, stride=32)(
        model, images, torch.zeros_like(TARGETS)
    )
    assert len(empty) == 0 and empty.shape[1:] == maps.shape[1:]


@given(
    scales=st.lists(st.sampled_from([0.5, 1.0, 1.5]), min_size=1, max_size=3, unique=True),
    flip=st.booleans(),
)
def test_every_view_counts_the_same(scales, flip):
    def method(_model, images, targets):
        """Brightness of 8 x 8 cells, scaled up with the image, as squared gradients may be."""
        size = images.shape[-1]
        return size * F.avg_pool2d(images.mean(1), 8)[targets[:, 0]], images.mean((1, 2, 3))

    images = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[True], [False]])
    got, logits = averaged(method, scales=scales, flip=flip, stride=16)(None, images, targets)
    units, peaks = [], []
    for scale in scales:
        size = [round(side * scale / 16) * 16 for side in (32, 48)]
        view = F.interpolate(images, size, mode="bilinear", antialias=True)
        maps, _ = method(None, view, targets)
        peaks.append(maps.max())
        units.append((maps / maps.max())[None])
    grid = units[0].shape[-2:]
    want = sum(F.interpolate(unit, grid, mode="bilinear", antialias=True) for unit in units)
    want = want[0] / len(scales) * sum(peaks) / len(scales)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)  # mirrored views agree with it
    assert logits.shape == (2,)
