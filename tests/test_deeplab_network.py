"""DeepLabv2 as mmsegmentation builds it from our recipe, against plain torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmengine.structures import PixelData

from getam_core.deeplab import DeepLabV2Head, build_deeplab, load_deeplab, save_deeplab
from getam_core.deeplab.recipe import network_recipe
from getam_core.errors import InputError
from getam_core.networks.openmmlab import MODELS
from tests.labelled import CLASSES, TINY
from tests.mmsegmentation import SegDataSample


def images(side, count=1):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_the_head_is_the_sum_of_dilated_convolutions():
    head = DeepLabV2Head(in_channels=5, num_classes=4, dilations=(6, 12, 18, 24))
    head.init_weights()
    features = torch.randn(2, 5, 41, 30)
    expected = sum(
        F.conv2d(features, layer.weight, layer.bias, padding=rate, dilation=rate)
        for layer, rate in zip(head.classifiers, (6, 12, 18, 24), strict=True)
    )
    torch.testing.assert_close(head([features]), expected)
    assert {name.partition(".")[0] for name, _ in head.named_parameters()} == {"classifiers"}


@pytest.mark.parametrize("depth", [18, 50])
def test_features_stand_at_stride_8(depth):
    network = build_deeplab(**TINY | {"depth": depth}).eval()
    for side, cells in ((33, 5), (97, 13)):
        with torch.no_grad():
            assert (
                network.decode_head(network.extract_feat(images(side))).shape[-2:] == (cells,) * 2
            )


def test_resnet_101_with_head_has_the_parameters_of_torchvision_s_plus_the_head_s():
    resnet = torchvision.models.resnet101(weights=None)
    plain = sum(p.numel() for name, p in resnet.named_parameters() if not name.startswith("fc."))
    head = 4 * (2048 * 21 * 3 * 3 + 21)
    with torch.device("meta"):
        network = MODELS.build(network_recipe(num_classes=21))
    assert sum(p.numel() for p in network.parameters()) == plain + head == 44_048_532


def test_the_backbone_computes_what_torchvision_s_dilated_resnet_does():
    resnet = torchvision.models.resnet50(
        weights=None, replace_stride_with_dilation=[False, True, True]
    ).eval()
    network = build_deeplab(num_classes=3, depth=50, crop_size=33).eval()
    state = {k: v for k, v in resnet.state_dict().items() if not k.startswith("fc.")}
    network.backbone.load_state_dict(state)
    for stage, dilation in ((resnet.layer3, 2), (resnet.layer4, 4)):
        first = stage[0].conv2  # torchvision gives the first block the previous dilation
        first.dilation, first.padding = (dilation,) * 2, (dilation,) * 2
    x = images(33)
    with torch.no_grad():
        for layer in (resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool):
            x = layer(x)
        for stage in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
            x = stage(x)
        torch.testing.assert_close(network.extract_feat(images(33))[0], x)


@pytest.mark.parametrize(("side", "exact"), [(97, True), (96, False), (100, False)])
def test_features_stand_on_pixels_from_edge_to_edge_where_a_side_is_8_k_plus_1(side, exact):
    network = build_deeplab(**TINY).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):  # kernels that do not tell left from right
            layer.weight.data = (layer.weight + layer.weight.flip(-1)) / 2
    image = images(side)
    with torch.no_grad():
        features, mirrored = (network.extract_feat(x)[0] for x in (image, image.flip(-1)))
    assert torch.allclose(mirrored.flip(-1), features, atol=1e-5) == exact


@pytest.mark.parametrize("batch_norm", ["frozen", "trained"])
def test_frozen_batch_norm_keeps_statistics_and_parameters(batch_norm):
    network = build_deeplab(**TINY | {"batch_norm": batch_norm}).train()
    norm, before = network.backbone.bn1, network.backbone.bn1.running_mean.clone()
    network.extract_feat(images(33, 2))
    frozen = torch.equal(norm.running_mean, before) and not norm.weight.requires_grad
    assert frozen == (batch_norm == "frozen")


def test_crops_are_normalised_as_rgb_and_their_padding_is_unknown():
    red = torch.zeros(3, 20, 25, dtype=torch.uint8)
    red[0] = 255
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.ones(1, 20, 25, dtype=torch.int64)))
    prepare = build_deeplab(**TINY).data_preprocessor
    found = prepare({"inputs": [red], "data_samples": [sample]}, True)
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    torch.testing.assert_close(found["inputs"][0, :, 0, 0], torch.tensor(expected))
    assert found["inputs"].shape == (1, 3, 33, 33) and not found["inputs"][..., 20:, :].any()
    labels = found["data_samples"][0].gt_sem_seg.data[0]
    assert (labels[:20, :25] == 1).all()
    assert (labels[20:] == 255).all() and (labels[:, 25:] == 255).all()


def test_unknown_pixels_have_no_part_in_the_loss():
    network = build_deeplab(**TINY)
    loss = network.decode_head.loss_decode
    logits = torch.randn(1, 3, 4, 4)
    labels = torch.randint(0, 3, (1, 4, 4))
    labels[0, :2] = 255
    expected = F.cross_entropy(logits, labels, ignore_index=255)
    torch.testing.assert_close(loss(logits, labels, ignore_index=255), expected)
    assert loss(logits, torch.full((1, 4, 4), 255), ignore_index=255) == 0


def test_a_network_comes_back_from_its_file(tmp_path):
    network = build_deeplab(**TINY).eval()
    settings, labels = {"deeplab": {"depth": 18}}, {"made_from": {"method": "getam"}}
    before = torch.get_rng_state()
    save_deeplab(
        tmp_path / "c.pt", network, TINY, classes=CLASSES, settings=settings, labels=labels
    )
    again = load_deeplab(tmp_path / "c.pt")
    assert torch.equal(before, torch.get_rng_state())
    with torch.no_grad():
        for one, other in zip(
            network.extract_feat(images(33)), again.network.extract_feat(images(33)), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert (again.classes, again.settings, again.labels) == (CLASSES, settings, labels)


def test_another_network_s_file_is_refused(tmp_path):
    torch.save({"model": {}, "built_by": {}}, tmp_path / "c.pt")
    with pytest.raises(InputError, match="does not hold a DeepLabv2"):
        load_deeplab(tmp_path / "c.pt")
