"""Initial weights: ImageNet's are taken, weights that may have seen masks are refused."""

import pytest
import torch
from safetensors.torch import save_file

from getam_core.deeplab import build_deeplab, check_origin, load_initial_weights
from getam_core.errors import InputError
from tests.labelled import TINY


@pytest.fixture(scope="module")
def imagenet():
    """A ResNet-18 under torchvision's names, with a classifier."""
    generator = torch.Generator().manual_seed(0)
    state = build_deeplab(**TINY).backbone.state_dict()
    state = {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
        for name, value in state.items()
    }
    return state | {"fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)}


def load(tmp_path, state, trained_on="imagenet"):
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    network = build_deeplab(**TINY)
    load_initial_weights(network.backbone, 18, str(path), trained_on)
    return network.backbone.state_dict()


def same(loaded, state):
    return all(torch.equal(value, state[name]) for name, value in loaded.items())


@pytest.mark.parametrize("prefix", ["", "backbone.", "module.backbone."])
def test_an_imagenet_classifier_s_weights_are_loaded(tmp_path, imagenet, prefix):
    named = {name if name[:3] == "fc." else prefix + name: v for name, v in imagenet.items()}
    assert same(load(tmp_path, named), imagenet)


@pytest.mark.parametrize(
    "head",
    [
        "decode_head.conv_seg.weight",  # mmsegmentation
        "classifier.4.weight",  # torchvision's DeepLabv3
        "aux_classifier.0.weight",
        "layer5.conv2d_list.0.weight",  # DeepLabv2 in many repositories
        "decoder.block1.weight",
    ],
)
def test_a_segmentation_network_is_refused_even_beside_a_classifier(tmp_path, imagenet, head):
    state = imagenet | {head: torch.zeros(21, 8, 3, 3)}
    for trained_on in ("imagenet", "other"):
        with pytest.raises(
            InputError, match=rf"{head}.*would leak them.*weights_trained_on: masks"
        ):
            load(tmp_path, state, trained_on)
    assert same(load(tmp_path, state, "masks"), imagenet)


def test_a_backbone_alone_shows_nothing_and_needs_the_setting(tmp_path, imagenet):
    state = {name: value for name, value in imagenet.items() if not name.startswith("fc.")}
    with pytest.raises(InputError, match="nothing shows that no masks were used"):
        load(tmp_path, state)
    assert same(load(tmp_path, state, "other"), imagenet)


def test_a_classifier_of_few_classes_is_not_imagenet_s(imagenet):
    with pytest.raises(InputError, match="no classifier of 1000 classes"):
        check_origin("w", imagenet | {"fc.weight": torch.zeros(21, 64)}, "imagenet")


def test_weights_of_another_depth_are_refused(tmp_path, imagenet):
    lacking = {k: v for k, v in imagenet.items() if not k.startswith("layer4.")}
    with pytest.raises(InputError, match="weights of the network are missing: layer4"):
        load(tmp_path, lacking)
    wrong = imagenet | {"conv1.weight": torch.zeros(8, 1, 7, 7)}
    with pytest.raises(InputError, match="weights of another network"):
        load(tmp_path, wrong)


def test_a_hub_name_of_another_network_is_refused_before_any_download():
    network = build_deeplab(**TINY)
    with pytest.raises(InputError, match=r"resnet50\.a1_in1k is not a resnet18"):
        load_initial_weights(network.backbone, 18, "hub:resnet50.a1_in1k", "imagenet")
    with pytest.raises(InputError, match="unknown timm model"):
        load_initial_weights(network.backbone, 18, "hub:resnett18", "imagenet")
