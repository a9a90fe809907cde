"""A CNN as the whole backbone, with the decoder on its own maps."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from getam_core.activation import cnn_cam
from getam_core.checkpoint import load_checkpoint, save_checkpoint
from getam_core.classes import IMAGENET_MEAN
from getam_core.errors import InputError
from getam_core.networks import (
    SegmentationCNN,
    build_classifier,
    build_stem,
    load_network,
    save_network,
)
from tests.networks import network_of, random_images

STEM = {"name": "test_resnet", "max_stride": 16}


@pytest.fixture(scope="module")
def network():
    return network_of("vit", name=None, stem=STEM).eval()


@torch.no_grad()
def test_it_gives_logits_and_a_segmentation_of_the_images_size(network):
    assert isinstance(network, SegmentationCNN)
    images = random_images(2, 3, 64, 96)
    logits, segmentation = network.classify_and_segment(images)
    torch.testing.assert_close(logits, network(images))
    assert logits.shape == (2, 3) and segmentation.shape == (2, 4, 64, 96)
    assert cnn_cam(network, images, torch.ones(2, 3, dtype=torch.bool))[0].shape == (6, 4, 6)


def test_every_parameter_gets_a_gradient_and_belongs_to_one_group(network):
    for parameter in network.parameters():
        if not parameter.any():  # a ResNet's branches start at zero, and then pass no gradient
            torch.nn.init.normal_(parameter)
    logits, segmentation = network.classify_and_segment(random_images(2, 3, 64, 64))
    (logits.square().sum() + segmentation.square().sum()).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    grouped = [id(p) for group in network.parameter_groups().values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("bias", [0.0, -1.0])
def test_one_class_and_one_image_are_enough_for_a_map(bias):
    torch.manual_seed(0)
    model = build_classifier(stem=STEM, num_classes=1).eval()
    images, targets = random_images(1, 3, 64, 64), torch.tensor([[True]])
    with torch.no_grad():
        model.head.bias.zero_()
        model.head.weight /= model(images)  # the map's mean is 1
        model.head.bias += bias
        features = model.forward_features(images)[0]
        signed = (model.head.weight[0, :, None, None] * features).sum(0)
    maps, logits = cnn_cam(model, images, targets)
    torch.testing.assert_close(maps[0], signed.relu(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits, torch.tensor([[1 + bias]]), rtol=0, atol=1e-4)
    head = model.forward_head
    model.forward_head = lambda features: head(2 * features)
    with pytest.raises(InputError, match="other layers lie between"):
        cnn_cam(model, images, targets)


@torch.no_grad()
def test_the_decoder_may_begin_at_a_coarser_map_and_a_checkpoint_knows(tmp_path):
    built_by = {"name": None, "stem": STEM, "num_classes": 3, "image_size": 64}
    built_by |= {"decoder_width": 8, "decoder_stride": 8}
    network = network_of("vit", **built_by).eval()
    assert len(network.decoder.stages) == 2
    save_network(tmp_path / "n.pt", network, built_by, ["a", "b", "c"])
    images = random_images(1, 3, 64, 64)
    again = load_network(tmp_path / "n.pt").classify_and_segment(images)
    assert torch.equal(again[1], network.classify_and_segment(images)[1])


@torch.no_grad()
def test_a_checkpoint_normalises_as_its_network_was_trained(tmp_path):
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "w.safetensors")
    stem = {"name": "test_resnet", "weights": tmp_path / "w.safetensors"}
    built_by = {"stem": stem, "num_classes": 3}
    network, images = build_classifier(**built_by).eval(), random_images(1, 3, 64, 64)
    save_network(tmp_path / "n.pt", network, built_by, ["a", "b", "c"], "cnn")
    assert torch.equal(load_network(tmp_path / "n.pt")(images), network(images))
    content = load_checkpoint(tmp_path / "n.pt")
    assert content["built_by"]["stem"] == {
        "name": "test_resnet", "weights": None, "mean": (0.5,) * 3, "std": (0.5,) * 3,
    }  # fmt: skip


@torch.no_grad()
def test_a_checkpoint_that_says_no_mean_was_trained_with_imagenet_s(tmp_path):
    built_by = {"stem": STEM, "num_classes": 3}
    network, images = build_classifier(**built_by).eval(), random_images(1, 3, 64, 64)
    save_network(tmp_path / "n.pt", network, built_by, ["a", "b", "c"], "cnn")
    content = load_checkpoint(tmp_path / "n.pt")
    stem = content["built_by"]["stem"]
    content["built_by"]["stem"] = {k: stem[k] for k in stem if k not in ("mean", "std")}
    save_checkpoint(tmp_path / "old.pt", content)
    again = load_network(tmp_path / "old.pt")
    assert torch.allclose(again.stem.normalise.mean.flatten(), torch.tensor(IMAGENET_MEAN))
    assert torch.equal(again(images), network(images))


@torch.no_grad()
def test_a_dilated_stem_keeps_its_last_layers_at_the_stride_asked_for():
    plain = build_stem("resnet10t", max_stride=16)
    dilated = build_stem("resnet10t", max_stride=16, dilated=True)
    assert plain.channels[-1] == 256 and dilated.channels[-1] == 512
    assert dilated(random_images(1, 3, 64, 64))[-1].shape == (1, 512, 4, 4)


@pytest.mark.parametrize(
    ("name", "library"), [("squeezenet1_1", "torchvision"), ("vit_tiny_patch16_224", "timm")]
)
def test_a_network_that_cannot_be_dilated_is_refused(name, library):
    with pytest.raises(InputError, match=f"{name}: (cannot|only timm's stems can) be dilated"):
        build_stem(name, library=library, dilated=True)
