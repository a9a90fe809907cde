"""CNN stems, and initial weights from files and hubs."""

import logging

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from getam_core.classes import IMAGENET_MEAN, IMAGENET_STD
from getam_core.errors import InputError
from getam_core.networks import build_stem
from getam_core.networks.library import from_hub
from getam_core.networks.normalisation import resolve_normalisation
from getam_core.networks.stem import Normalise
from tests.networks import ODD, SMALL, SQUEEZENET, network_of, random_images, vit


@pytest.mark.parametrize(
    "stem",
    [SQUEEZENET, {"name": "test_resnet"}, {"name": "mobilenet_v2", "library": "torchvision"}],
)
def test_a_stem_gives_exactly_one_map_per_stride(stem):
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


def test_torchvision_says_how_its_weights_were_trained():
    mean, std = resolve_normalisation("efficientnet_v2_l", "torchvision", "hub")
    assert mean == std == (0.5, 0.5, 0.5)
    assert resolve_normalisation("vgg16", "torchvision", "hub") == (IMAGENET_MEAN, IMAGENET_STD)


def test_feature_scale_is_one_factor_or_one_per_map():
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


def test_what_fails_at_the_hub_is_one_line_and_its_client_is_quiet_meanwhile(caplog):
    client = logging.getLogger("huggingface_hub.utils._http")
    with pytest.raises(InputError, match=r"x: the hub's .*no route.*weights: null"), from_hub("x"):
        client.warning("Retrying in 1s [Retry 1/5].")
        raise OSError("no route\nto host")
    assert not caplog.records
    client.warning("heard again")
    assert caplog.messages == ["heard again"]


@pytest.mark.parametrize("decoder_stride", [4, 8])
@pytest.mark.parametrize("name", ["test_efficientnet", "hrnet_w18_small", "test_resnet"])
def test_every_parameter_that_is_trained_gets_a_gradient(name, decoder_stride):
    network = network_of("stem", stem={"name": name}, decoder_stride=decoder_stride)
    logits, segmentation = network.classify_and_segment(random_images(1, 3, 64, 64))
    (logits.sum() + segmentation.sum()).backward()
    without = {key for key, value in network.stem.named_parameters() if value.grad is None}
    frozen = {key for key, value in network.stem.named_parameters() if not value.requires_grad}
    assert without == frozen and bool(frozen) == (name != "test_resnet")
    assert all(module.training for module in network.stem.modules())
