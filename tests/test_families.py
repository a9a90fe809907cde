"""GETAM on every kind of network, against attention as a matrix; and networks that cannot serve."""

import math

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from getam_core.activation import getam, maps_from, record
from getam_core.errors import InputError
from tests.explained import IMAGE, MODELS, TARGETS, model_of, sharpened, timm_model
from tests.explicit import explicit_getam, relative_difference

WIDE = {"embed_dim": 48, "patch_size": 16}  # heads 24 wide: rotary embeddings need multiples of 4
FAMILIES = {  # prefix tokens, and a small network of random weights
    "DeiT-3": (1, lambda: timm_model("deit3_small_patch16_224")),
    "BEiT": (1, lambda: timm_model("beit_base_patch16_224")),  # relative position bias
    "BEiT v2": (1, lambda: timm_model("beitv2_base_patch16_224")),
    "EVA": (1, lambda: timm_model("eva_giant_patch14_224", **WIDE)),
    "EVA-02": (1, lambda: timm_model("eva02_tiny_patch14_224", **WIDE)),
    "DINOv2": (1, lambda: timm_model("vit_small_patch14_dinov2", patch_size=16)),
    "DINOv2, registers": (5, lambda: timm_model("vit_small_patch14_reg4_dinov2", patch_size=16)),
    "DINOv3": (5, lambda: timm_model("vit_small_patch16_dinov3", **WIDE)),
    "CLIP": (1, lambda: timm_model("vit_base_patch16_clip_224")),
    "FlexiViT": (1, lambda: timm_model("flexivit_small")),
    "torchvision": (1, lambda: torchvision_vit()),
    "DeiT, distilled": (2, MODELS["distilled"]),
    "ViT": (1, MODELS["vit"]),
    "ViT-Hybrid": (1, MODELS["r50 hybrid"]),
    "stem hybrid": (1, MODELS["stem hybrid"]),
}


def torchvision_vit():
    model = torchvision.models.VisionTransformer(64, 16, 3, 2, 32, 64, num_classes=4)
    nn.init.normal_(model.heads.head.weight)  # torchvision's is zero
    return model


def images_for(family, dtype):
    size = (64, 64) if family == "torchvision" else IMAGE
    return torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(1)).to(dtype)


@pytest.fixture(scope="module")
def vit():
    return model_of("vit")


@pytest.fixture(scope="module")
def images():
    return images_for("ViT", torch.float32)


@pytest.mark.parametrize("coupling", ["per_head", "head_mean"])
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-9)])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_getam_is_that_of_explicit_attention(family, dtype, limit, coupling, monkeypatch):
    prefix, build = FAMILIES[family]
    model, images = sharpened(build).to(dtype), images_for(family, dtype)
    maps, logits = getam(model, images, TARGETS, coupling=coupling)
    with torch.no_grad():
        torch.testing.assert_close(logits, model(images))
    want = explicit_getam(model, images, TARGETS, coupling, None, monkeypatch, prefix=prefix)
    assert maps.dtype == dtype and maps.shape[0] == 4
    assert maps.shape[1] * images.shape[3] == maps.shape[2] * images.shape[2]
    assert relative_difference(maps, want) < limit


def test_transformers_vit(monkeypatch):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        image_size=64, patch_size=16, num_labels=4, attn_implementation="sdpa",
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.ViTForImageClassification(config).eval()
    images = torch.rand(3, 3, 64, 64)
    maps, logits = getam(model, images, TARGETS)
    assert logits.shape == (3, 4)
    want = explicit_getam(
        lambda x: model(x).logits, images, TARGETS, "per_head", None, monkeypatch, prefix=1
    )
    assert relative_difference(maps, want) < 1e-5


def test_the_gradient_of_the_class_row_is_that_of_finite_differences(monkeypatch):
    model = model_of("vit").double()
    image, step = images_for("ViT", torch.float64)[:1], 1e-6
    with record(model) as tape:
        logits = model(image)
    block = tape.blocks[1]
    (gradient,) = torch.autograd.grad(logits[0, 2], block.output)
    got = block.class_row_gradient(gradient, torch.tensor([0]))[0]  # (H, T + N)

    def logit(head, token, change):
        """Return the logit after a change of one entry of the second block's [class] row."""
        calls = []

        def attend(q, k, v, **_):
            attention = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
            calls.append(None)
            if len(calls) == 2:
                attention[0, head, 0, token] += change
            return attention @ v

        with monkeypatch.context() as patch, torch.no_grad():
            patch.setattr(nn.functional, "scaled_dot_product_attention", attend)
            return float(model(image)[0, 2])

    for head, token in ((0, 0), (0, 7), (1, 3), (1, 24)):
        slope = (logit(head, token, step) - logit(head, token, -step)) / (2 * step)
        np.testing.assert_allclose(float(got[head, token]), slope, rtol=1e-5, atol=1e-9)


def no_class_token():
    return timm_model("vit_base_patch16_siglip_gap_224")


def registers_without_class_token():
    return timm_model("vit_so150m_patch16_reg4_gap_256")


def windowed():
    return timm.create_model("swin_tiny_patch4_window7_224", num_classes=4, img_size=IMAGE)


@pytest.mark.parametrize(
    "build", [no_class_token, registers_without_class_token, windowed, lambda: nn.Flatten()]
)
def test_a_network_without_a_class_token_is_refused(build):
    with pytest.raises(InputError, match=r"no \[class\] token"):
        getam(build().eval(), images_for("ViT", torch.float32), TARGETS)


def test_the_number_of_prefix_tokens_can_be_given(vit, images, monkeypatch):
    maps, _ = getam(vit, images, TARGETS, prefix=9)  # as if 8 patches were registers
    want = explicit_getam(vit, images, TARGETS, "per_head", None, monkeypatch, prefix=9)
    assert maps.shape[0] == 4 and maps[0].numel() == 16
    assert relative_difference(maps, want) < 1e-5


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 3, 64, 90), "multiples of the patch size, 16 x 16"),
        (torch.rand(3, 3, 64, 64), "refuses images of 64 x 64 px"),
        (torch.rand(3, 1, *IMAGE), r"expected \(B, 3, H, W\)"),
        (torch.zeros(3, 3, *IMAGE, dtype=torch.uint8), "floating point"),
        (torch.rand(3, 3, *IMAGE).half(), r"model\.float\(\)"),
        (torch.full((3, 3, *IMAGE), torch.nan), r"images \[0, 1, 2\] are not finite"),
    ],
)
def test_images_that_do_not_fit_are_answered_with_what_is_expected(images, message):
    model = model_of("vit")
    with pytest.raises(InputError, match=message):
        getam(model.half() if images.dtype == torch.half else model, images, TARGETS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fusion": "maximum"}, "sum, product or matrix"),
        ({"coupling": "mean"}, "per_head or head_mean"),
        ({"blocks": 4}, "the network has 3"),
        ({"blocks": [0, 3]}, "the network has 3"),
        ({"blocks": 0}, "the network has 3"),
        ({"targets": TARGETS[:, :2]}, "one column per class"),
        ({"targets": TARGETS.float()}, "expected bool"),
    ],
)
def test_wrong_arguments_are_answered_with_what_there_is(vit, images, arguments, message):
    with pytest.raises(InputError, match=message):
        getam(vit, images, **{"targets": TARGETS, **arguments})


def test_a_grid_that_does_not_fit_is_refused(vit, images):
    with record(vit) as tape:
        logits = vit(images)
    with pytest.raises(InputError, match="24 patches do not form a square"):
        maps_from(tape, logits, TARGETS)
    with pytest.raises(InputError, match="grid 5 x 5"):
        maps_from(tape, logits, TARGETS, grid=(5, 5))


def test_attention_that_cannot_be_recorded_is_named(images):
    unfused = model_of("vit")
    for block in unfused.blocks:
        block.attn.fused_attn = False
    with pytest.raises(InputError, match="fused attention"):
        getam(unfused, images, TARGETS)
    dropping = timm_model("vit_tiny_patch16_224", attn_drop_rate=0.1).train()
    with pytest.raises(InputError, match="attn_drop_rate"), record(dropping):
        dropping(images)
    assert isinstance(dropping.blocks[0].attn.attn_drop, nn.Dropout)
