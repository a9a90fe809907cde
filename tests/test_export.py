"""The export of maps: single blocks and their sum, and the classes of images without labels."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from getam_core.activation import getam, getam_blocks
from getam_core.classes import SCENE_CLASSES
from getam_core.data import Entry, of_split
from getam_core.inference.maps import export_maps
from getam_core.networks import build_network
from getam_core.scenes import write_scenes
from getam_core.settings import Settings
from getam_core.stores import StoreWriter, open_store, read_maps
from tests.voc_kit import entries_of
from workflow_scripts.export_maps import method_of, predicts

SMALL = {"patch_size": 8, "embed_dim": 16, "depth": 3, "num_heads": 2}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    name, size = "vit_tiny_patch16_224", (32, 48)
    options = {"name": name, "image_size": size, "options": SMALL, "decoder_width": 8}
    network = build_network(num_classes=len(SCENE_CLASSES), **options).eval()
    for parameter in network.parameters():  # initial weights leave attention flat
        if parameter.dim() == 2:
            parameter.data.mul_(3)
    return network


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    write_scenes(root, train=7, val=2, size=32, seed=0)
    return of_split(entries_of(root, SCENE_CLASSES), "train")


def exported(path, network, entries, method, flip=True, **options):
    options = {"classes": SCENE_CLASSES, "size": None, "device": torch.device("cpu")} | options
    with StoreWriter(path, "maps", SCENE_CLASSES, {}) as writer:
        export_maps(method, network, entries, writer, flip=flip, **options)
    return open_store(path, "maps")


@pytest.mark.parametrize("coupling", ["per_head", "head_mean"])
@pytest.mark.parametrize(("blocks", "chosen"), [(None, [0, 1, 2]), (2, [1, 2]), ([0, 2], [0, 2])])
def test_block_maps_sum_to_getam_and_are_its_maps_of_one_block(network, blocks, chosen, coupling):
    images = torch.rand(3, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    targets = torch.zeros(3, len(SCENE_CLASSES), dtype=torch.bool)
    targets[0, [1, 4]] = targets[2, 0] = True
    maps, logits = getam_blocks(network, images, targets, blocks=blocks, coupling=coupling)
    summed, expected_logits = getam(network, images, targets, blocks=blocks, coupling=coupling)
    torch.testing.assert_close(maps.sum(1), summed)
    torch.testing.assert_close(logits, expected_logits)
    for number, block in enumerate(chosen):
        single, _ = getam(network, images, targets, blocks=[block], coupling=coupling)
        torch.testing.assert_close(maps[:, number], single)


def test_stored_blocks_give_the_stored_map(network, entries, tmp_path):
    plain = exported(tmp_path / "plain.h5", network, entries, getam)
    store = exported(tmp_path / "blocks.h5", network, entries, getam_blocks)
    for entry in entries:
        stored, without = read_maps(store, entry.image_id), read_maps(plain, entry.image_id)
        assert without.blocks is None and stored.blocks.shape == (3, *without.maps.shape)
        np.testing.assert_array_equal(stored.class_ids, without.class_ids)
        as_computed = stored.blocks * stored.block_maximum[..., None, None]
        expected = without.maps * without.maximum[:, None, None]
        np.testing.assert_allclose(
            as_computed.sum(0), expected, rtol=5e-3, atol=2e-3 * expected.max()
        )


def brightness(_network, images, targets):
    """A method that commutes with mirroring: maps not mirrored back would change the mean."""
    maps = F.avg_pool2d(images.mean(1), 8)
    owner, class_index = targets.nonzero(as_tuple=True)
    return maps[owner] * (1 + class_index[:, None, None]), images.mean((2, 3))


@pytest.mark.parametrize("views", [{"flip": True}, {"flip": False, "scales": [1.0, 2.0]}])
def test_maps_of_views_are_brought_back_to_the_image(views, network, tmp_path):
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (4, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    entries = [Entry("a", tmp_path / "a.png", "train", SCENE_CLASSES[:2])]
    plain = exported(tmp_path / "plain.h5", network, entries, brightness, flip=False)
    store = exported(tmp_path / "views.h5", network, entries, brightness, **views)
    one, mean = read_maps(plain, "a"), read_maps(store, "a")
    assert one.size == mean.size == (32, 48) and mean.maps.shape == (2, 4, 6)
    np.testing.assert_allclose(mean.maps, one.maps, atol=1e-3 if views["flip"] else 0.2)
    np.testing.assert_allclose(mean.maximum, one.maximum, rtol=0.2)


@pytest.mark.parametrize(
    ("views", "grid"),
    [({}, (4, 6)), ({"size": 96}, (8, 12)), ({"scales": (0.5, 1.0)}, (2, 3))],
)
def test_maps_have_the_grid_of_the_size_and_the_first_scale(views, grid, network, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((32, 48, 3), np.uint8))
    entries = [Entry("a", tmp_path / "a.png", "train", SCENE_CLASSES[:2])]
    store = exported(tmp_path / "m.h5", network, entries, brightness, **views)
    assert read_maps(store, "a").maps.shape == (2, *grid)


def test_maps_are_made_in_evaluation_mode(network, entries, tmp_path):
    modes = []

    def method(network, images, targets):
        modes.append(network.training)
        return brightness(network, images, targets)

    exported(tmp_path / "m.h5", network.train(), entries, method)
    assert set(modes) == {False}


def test_predicted_classes_are_those_of_positive_logits(network, entries, tmp_path):
    unlabelled = [Entry(e.image_id, e.image, e.split, ()) for e in entries]
    store = exported(tmp_path / "m.h5", network, unlabelled, getam, flip=False, predicted=True)
    counts = []
    for entry in entries:
        stored = read_maps(store, entry.image_id)
        np.testing.assert_array_equal(stored.class_ids, np.flatnonzero(stored.scores > 0) + 1)
        counts.append(len(stored.class_ids))
    assert max(counts) > 0
    none = exported(tmp_path / "none.h5", network, unlabelled, getam)
    assert all(len(read_maps(none, entry.image_id).maps) == 0 for entry in entries)


def test_classes_are_predicted_only_where_a_whole_split_has_none(entries):
    without = [Entry(e.image_id, e.image, e.split, ()) for e in entries]
    assert predicts(without)
    assert not predicts([*without, entries[0]])


def test_store_blocks_chooses_the_method_that_keeps_them():
    kept = Settings.model_validate({"getam": {"store_blocks": True, "blocks": 2}})
    assert method_of("getam", kept).func is getam_blocks
    assert method_of("getam", Settings()).func is getam
    assert method_of("getam", kept).keywords == {"blocks": 2, "coupling": "per_head"}
