import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from getam_core.errors import InputError
from getam_core.vit import FusionDecoder, build_network, build_stem, build_vit
from getam_core.vit.dpt import Reassemble, default_taps, resize, token_scales
from getam_core.vit.stem import Normalise

SMALL = {"embed_dim": 32, "depth": 4, "num_heads": 2}
ODD = {"embed_dim": 100}  # not divisible by the heads
SQUEEZENET = {"name": "squeezenet1_1", "library": "torchvision", "pad": 1}
NETWORKS = {
    "vit": {"name": "vit_tiny_patch16_224", "options": SMALL},
    "distilled": {"name": "deit_tiny_distilled_patch16_224", "options": SMALL},
    "registers": {"name": "vit_small_patch14_reg4_dinov2", "options": {**SMALL, "patch_size": 8}},
    "stem": {
        "name": "vit_tiny_patch16_224",
        "options": {**SMALL, "depth": 2},
        "stem": SQUEEZENET,
    },
    "r50": {"name": "vit_base_r50_s16_224", "options": {**SMALL, "depth": 2}},
}


def network_of(kind, **changes):
    torch.manual_seed(0)
    arguments = {"num_classes": 3, "image_size": 64, "decoder_width": 8, **NETWORKS[kind]}
    return build_network(**{**arguments, **changes})


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request):
    return network_of(request.param).eval()


def random_images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


# Stems


@pytest.mark.parametrize(
    "stem",
    [SQUEEZENET, {"name": "test_resnet"}, {"name": "mobilenet_v2", "library": "torchvision"}],
)
def test_a_stem_gives_exactly_one_map_a_stride(stem):
    built = build_stem(**stem).eval()
    maps = built(random_images(1, 3, 64, 96))
    assert built.strides == (4, 8, 16)
    expected = [(c, 64 // s, 96 // s) for c, s in zip(built.channels, (4, 8, 16), strict=True)]
    assert [tuple(m.shape[1:]) for m in maps] == expected


def test_a_torchvision_stem_gives_the_features_of_the_last_layer_at_each_stride():
    stem = build_stem("mobilenet_v2", library="torchvision").eval()
    x = stem.normalise(random_images(1, 3, 64, 64))
    outputs = {}
    for layer in stem.trunk:
        x = layer(x)
        outputs[64 // x.shape[-1]] = x
    for stride, feature_map in zip(stem.strides, stem(random_images(1, 3, 64, 64)), strict=True):
        torch.testing.assert_close(feature_map, outputs[stride])


def test_the_error_for_inexact_maps_proposes_the_padding_that_mends_them():
    with pytest.raises(InputError, match=r"squeezenet1_0.*set pad to 3"):
        build_stem("squeezenet1_0", library="torchvision")


@pytest.mark.parametrize(
    ("stem", "why"),
    [
        ({"name": "swin_tiny_patch4_window7_224"}, r"refuses .* \(Input height .* model \(224\)"),
        ({"name": "mambaout_femto"}, r"\(48, 40, 48\) .* not \(channels, rows, columns\)"),
        ({"name": "swin_t", "library": "torchvision"}, r"not \(channels, rows, columns\)"),
    ],
)
def test_a_network_for_one_size_or_with_channels_last_is_refused_for_a_cnn(stem, why):
    with pytest.raises(InputError, match=rf"{stem['name']}.*{why}.*resnet50"):
        build_stem(**stem)


def test_normalisation_follows_caffe_order_and_units():
    image = random_images(1, 3, 2, 2)
    mean, std = (104 / 255, 117 / 255, 123 / 255), (1 / 255,) * 3
    caffe = image[0].numpy()[::-1] * 255 - np.array([104, 117, 123]).reshape(3, 1, 1)
    got = Normalise(mean, std, bgr=True)(image)[0].numpy()
    np.testing.assert_allclose(got, caffe, atol=1e-3)


def test_feature_scale_is_one_factor_or_one_a_map():
    images = random_images(1, 3, 32, 32)
    stem = build_stem("test_resnet").eval()
    plain = stem(images)
    for scale in (0.5, [0.5, 0.25, 2.0]):
        scaled = build_stem("test_resnet", feature_scale=scale).eval()
        scaled.load_state_dict(stem.state_dict())
        factors = scale if isinstance(scale, list) else [scale] * 3
        for got, want, factor in zip(scaled(images), plain, factors, strict=True):
            torch.testing.assert_close(got, want * factor)
    with pytest.raises(InputError, match=r"2 factors.*3 maps"):
        build_stem("test_resnet", feature_scale=[1.0, 2.0])


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_stem_weights_come_from_a_file_and_missing_ones_are_named(tmp_path, library):
    name = "test_resnet" if library == "timm" else "squeezenet1_1"
    options = {} if library == "timm" else {"library": "torchvision", "pad": 1}
    create = timm.create_model if library == "timm" else torchvision.models.get_model
    state = create(name, num_classes=7).state_dict()
    save_file(state, tmp_path / "whole.safetensors")
    stem = build_stem(name, weights=tmp_path / "whole.safetensors", **options)
    loaded = stem.trunk.state_dict()
    keys = set(loaded) & {key.removeprefix("features.") for key in state}
    assert keys and all(
        torch.equal(loaded[key], state.get(key, state.get(f"features.{key}"))) for key in keys
    )
    missing = next(key for key in state if "conv1" in key or "squeeze" in key)
    del state[missing]
    torch.save(state, tmp_path / "damaged.pt")
    with pytest.raises(InputError, match=missing.removeprefix("features.").replace(".", r"\.")):
        build_stem(name, weights=tmp_path / "damaged.pt", **options)


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_stem_weights_of_another_network_are_an_input_error(tmp_path, library):
    names = {"timm": ("test_resnet", "resnet18"), "torchvision": ("mobilenet_v2", "squeezenet1_1")}
    create = timm.create_model if library == "timm" else torchvision.models.get_model
    ours, other = names[library]
    state = {key: value[:1] for key, value in create(ours).state_dict().items() if value.dim()}
    torch.save(state, tmp_path / f"{other}.pt")
    with pytest.raises(InputError, match=rf"{other}\.pt: weights of another network"):
        build_stem(ours, library=library, weights=tmp_path / f"{other}.pt")


HUB = {
    "timm's stem": ("timm", "test_resnet", lambda: build_stem("test_resnet", weights="hub")),
    "torchvision's stem": (
        "torchvision",
        "squeezenet1_1",
        lambda: build_stem(**SQUEEZENET, weights="hub"),
    ),
    "transformer": (
        "timm",
        "vit_tiny_patch16_224",
        lambda: vit("vit_tiny_patch16_224", weights="hub"),
    ),
}
LOADERS = {
    "timm": "timm.models._builder.load_pretrained",
    "torchvision": "torchvision.models._api.load_state_dict_from_url",
}


@pytest.mark.parametrize("error", [OSError("no route\nto host"), RuntimeError("bad hash")])
@pytest.mark.parametrize("network", list(HUB))
def test_a_hub_that_cannot_be_reached_is_one_line_that_asks_for_a_file(monkeypatch, network, error):
    def fail(*_, **__):
        raise error

    library, name, build = HUB[network]
    monkeypatch.setattr(LOADERS[library], fail)
    with pytest.raises(InputError) as caught:
        build()
    message = str(caught.value)
    assert message.startswith(name) and "\n" not in message
    for part in (" ".join(str(error).split()), "`weights: FILE`", "`weights: null`"):
        assert part in message


def test_weights_that_would_run_code_are_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(InputError, match=r"module\.pt: not a safetensors or torch weights file"):
        build_stem("test_resnet", weights=tmp_path / "module.pt")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: build_stem("resnet19"), "resnet18"),
        (lambda: build_stem("squeezenet1_2", library="torchvision"), "squeezenet1_"),
        (lambda: build_stem("test_resnet", library="tim"), "timm"),
        (lambda: build_stem("test_resnet", weights="nowhere.pt"), "nowhere.pt"),
        (lambda: build_stem("squeezenet1_1", library="torchvision", max_stride=64), "max_stride"),
        (lambda: build_stem("mixer_s32_224"), r"strides \[32\], none from 4"),
        (lambda: vit("vit_tiny_patch16_22"), "vit_tiny_patch16_224"),
        (lambda: vit("vit_tiny_patch16_224", options={"embd_dim": 8}), "embed_dim"),
        (lambda: vit("vit_tiny_patch16_224", options=ODD), "num_heads"),
        (lambda: vit("vit_tiny_patch16_224", options=ODD, weights="hub"), "num_heads"),
        (lambda: vit("resnet18"), "not a VisionTransformer"),
        (lambda: vit("vit_base_patch16_gap_224", options=SMALL), "class"),
        (lambda: network_of("vit", taps=[2, 1]), "taps"),
        (lambda: network_of("stem", decoder_stride=2), "strides 4, 8, 16"),
        (lambda: network_of("r50", decoder_stride=2), "strides 4, 8, 16"),
        (lambda: network_of("vit", readout="projekt"), "project"),
        (lambda: network_of("stem", weights="some.pt"), "stem or weights"),
    ],
)
def test_wrong_names_and_options_are_answered_with_what_there_is(build, message):
    with pytest.raises(InputError, match=message):
        build()


def vit(name, **arguments):
    return build_vit(name, image_size=64, num_classes=3, **arguments)


# Transformers


@pytest.mark.parametrize("name", [NETWORKS["vit"]["name"], NETWORKS["distilled"]["name"]])
def test_vit_weights_survive_another_image_size_and_other_classes(tmp_path, name):
    source = timm.create_model(name, num_classes=10, img_size=64, **SMALL)
    save_file(source.state_dict(), tmp_path / "vit.safetensors")
    built = build_vit(
        name,
        image_size=96,
        num_classes=3,
        options=SMALL,
        weights=tmp_path / "vit.safetensors",
    )
    for (key, got), want in zip(
        built.blocks.state_dict().items(), source.blocks.state_dict().values(), strict=True
    ):
        assert torch.equal(got, want), key
    assert built.head.weight.shape == (3, 32)
    prefix = built.num_prefix_tokens
    assert built.pos_embed.shape == (1, prefix + 36, 32)
    torch.testing.assert_close(built.pos_embed[:, :prefix], source.pos_embed[:, :prefix])


def test_vit_weights_that_do_not_fit_are_an_input_error(tmp_path):
    source = timm.create_model("vit_tiny_patch16_224", num_classes=10, **SMALL)
    state = source.state_dict()
    del state["blocks.1.attn.qkv.weight"]
    save_file(state, tmp_path / "vit.safetensors")
    with pytest.raises(InputError, match=r"vit\.safetensors.*blocks\.1\.attn\.qkv\.weight"):
        vit("vit_tiny_patch16_224", options=SMALL, weights=tmp_path / "vit.safetensors")


def test_splitting_timms_hybrid_changes_no_logit_and_gives_the_cnns_stages():
    whole = build_vit("vit_base_r50_s16_224", image_size=64, num_classes=3, options=SMALL).eval()
    split = network_of("r50", options=SMALL).eval()
    state = {
        key.replace("patch_embed.backbone.", "stem.trunk.")
        if "backbone" in key
        else f"vit.{key}": value
        for key, value in whole.state_dict().items()
    }
    assert not split.load_state_dict(state, strict=False).unexpected_keys
    images = random_images(2, 3, 96, 64)
    torch.testing.assert_close(split(images), whole((images - 0.5) / 0.5), atol=1e-5, rtol=1e-4)
    assert split.stem.strides == (4, 8, 16) and split.stem.channels == (256, 512, 1024)


@pytest.mark.parametrize("kind", ["vit", "distilled"])
def test_logits_are_timms_own_on_normalised_images(kind):
    network = network_of(kind).eval()
    images = random_images(2, 3, 64, 64)
    cfg = network.vit.pretrained_cfg
    mean, std = (torch.tensor(cfg[k]).view(3, 1, 1) for k in ("mean", "std"))
    torch.testing.assert_close(network(images), network.vit((images - mean) / std))


# The whole network


@torch.no_grad()
def test_one_forward_gives_the_same_logits_and_a_segmentation_of_the_images_size(network):
    images = random_images(2, 3, 64, 96)
    logits, segmentation = network.classify_and_segment(images)
    torch.testing.assert_close(logits, network(images))
    assert logits.shape == (2, 3) and segmentation.shape == (2, 4, 64, 96)


def test_every_parameter_gets_a_gradient_and_belongs_to_one_group(network):
    for parameter in network.parameters():
        if not parameter.any():  # a ResNet's branches begin at zero, and then pass no gradient
            nn.init.normal_(parameter)
    logits, segmentation = network.classify_and_segment(random_images(2, 3, 64, 64))
    (logits.square().sum() + segmentation.square().sum()).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    network.zero_grad()
    groups = network.parameter_groups()
    grouped = [id(p) for group in groups.values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    assert bool(groups["stem"]) == (network.stem is not None)
    assert any(p is network.vit.head.weight for p in groups["heads"])


def test_the_grid_follows_the_image_and_odd_sizes_are_refused(network):
    stride = network.stride
    assert network.grid((2 * stride, 3 * stride)) == (2, 3)
    with pytest.raises(InputError, match=f"multiples of {stride}"):
        network(random_images(1, 3, 64, 64 + stride // 2))


def test_a_segmentation_is_not_mirrored_or_transposed():
    network = network_of("vit").eval()
    nn.init.zeros_(network.vit.pos_embed)  # without positions, only the pixels tell places apart
    images = torch.zeros(1, 3, 64, 96)
    images[..., :16, 80:] = 1.0  # top right
    with torch.no_grad():
        change = (
            network.classify_and_segment(images)[1]
            - network.classify_and_segment(torch.zeros_like(images))[1]
        )
    row, column = divmod(int(change.abs().sum(1).argmax()), 96)
    assert row < 32 and column > 56


@pytest.mark.parametrize("readout", ["project", "add", "ignore"])
@pytest.mark.parametrize("decoder_stride", [4, 8])
@torch.no_grad()
def test_a_coarser_decoder_and_every_readout_give_the_same_shapes(readout, decoder_stride):
    for kind in ("vit", "stem"):
        network = network_of(kind, readout=readout, decoder_stride=decoder_stride, decoder_kernel=1)
        finest = []
        network.decoder.fusion.head.register_forward_hook(
            lambda _m, _i, out, seen=finest: seen.append(64 // out.shape[-1])
        )
        assert network.classify_and_segment(random_images(1, 3, 64, 64))[1].shape[-1] == 64
        assert finest == [decoder_stride]


# The decoder


def test_the_project_readout_is_a_linear_layer_on_patch_and_class_token():
    stage = Reassemble(6, 4, 1)
    patches, class_token = torch.randn(2, 6, 6), torch.randn(2, 1, 6)
    weight = torch.cat([stage.of_patch.weight, stage.of_class.weight], 1)
    pairs = torch.cat([patches, class_token.expand(-1, 6, -1)], 2)
    tokens = F.gelu(F.linear(pairs, weight, stage.of_patch.bias))
    expected = stage.project(tokens.transpose(1, 2).reshape(2, 6, 2, 3))
    torch.testing.assert_close(stage(patches, class_token, (2, 3)), expected)


def test_a_1x1_convolution_before_bilinear_resizing_is_that_after_it():
    x, conv = torch.randn(1, 3, 5, 7), nn.Conv2d(3, 2, 1)
    torch.testing.assert_close(resize(conv(x), (10, 14)), conv(resize(x, (10, 14))))


def test_the_decoder_takes_maps_of_odd_sizes():
    maps = [random_images(2, c, h, w) for c, h, w in ((5, 15, 9), (7, 8, 5), (3, 4, 3))]
    assert FusionDecoder((5, 7, 3), width=6, outputs=2)(maps).shape == (2, 2, 30, 18)


def test_taps_and_scales_are_those_of_dpt():
    assert default_taps(12, 4) == [2, 5, 8, 11]
    assert default_taps(24, 4) == [5, 11, 17, 23]
    assert default_taps(12, 2) == [8, 11]
    assert default_taps(2, 4) == [0, 1]
    assert token_scales(4, 16, 4) == [4, 2, 1, 0.5]
    assert token_scales(4, 14, 4) == [4, 2, 1, 0.5]
    assert token_scales(2, 16, 16) == [1, 0.5]
    assert token_scales(4, 8, 4) == [2, 1, 0.5, 0.25]
