"""Transformers, the whole network, and its decoder."""

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from getam_core.errors import InputError
from getam_core.networks import FusionDecoder, build_vit
from getam_core.networks.building import WIDE
from getam_core.networks.dpt import Reassemble, default_taps, token_scales
from getam_core.resizing import resize_tensor
from tests.networks import NETWORKS, SMALL, network_of, random_images, vit


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request):
    return network_of(request.param).eval()


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


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("head", ["class", "pooled", "ts_cam"])
@pytest.mark.parametrize("kind", ["vit", "distilled"])
@torch.no_grad()
def test_weights_of_a_file_go_with_every_head(tmp_path, kind, head, suffix):
    source = timm.create_model(NETWORKS[kind]["name"], num_classes=10, img_size=64, **SMALL)
    path = tmp_path / f"vit.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(source.state_dict(), path)
    network = network_of(kind, head=head, weights=path).eval()
    for key, value in network.vit.blocks.state_dict().items():
        assert torch.equal(value, source.blocks.state_dict()[key]), key
    assert network(random_images(2, 3, 64, 64)).shape == (2, 3)


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
        if not parameter.any():  # a ResNet's branches start at zero, and then pass no gradient
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
    nn.init.zeros_(network.vit.pos_embed)  # without positions, only pixels distinguish places
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
    torch.testing.assert_close(resize_tensor(conv(x), (10, 14)), conv(resize_tensor(x, (10, 14))))


def test_the_decoder_takes_maps_of_odd_sizes():
    maps = [random_images(2, c, h, w) for c, h, w in ((5, 15, 9), (7, 8, 5), (3, 4, 3))]
    assert FusionDecoder((5, 7, 3), width=6, outputs=2)(maps).shape == (2, 2, 30, 18)


def test_a_wide_decoder_is_the_same_in_either_memory_layout():
    network, images = network_of("vit", decoder_width=WIDE), random_images(2, 3, 64, 64)
    weight = network.decoder.fusion.head[0].weight
    assert weight.is_contiguous()
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network.to(memory_format=layout)
        segmentation = network.classify_and_segment(images)[1]
        assert network.decoder.fusion.head[0].weight.is_contiguous(memory_format=layout)
        (gradient,) = torch.autograd.grad(segmentation.square().mean(), weight)
        results.append((segmentation, gradient))
    torch.testing.assert_close(*results)


def test_taps_and_scales_are_those_of_dpt():
    assert default_taps(12, 4) == [2, 5, 8, 11]
    assert default_taps(24, 4) == [5, 11, 17, 23]
    assert default_taps(12, 2) == [8, 11]
    assert default_taps(2, 4) == [0, 1]
    assert token_scales(4, 16, 4) == [4, 2, 1, 0.5]
    assert token_scales(4, 14, 4) == [4, 2, 1, 0.5]
    assert token_scales(2, 16, 16) == [1, 0.5]
    assert token_scales(4, 8, 4) == [2, 1, 0.5, 0.25]
