"""Where saliency comes from: maps of any kind, rembg, encoders of several families, or nowhere."""

import argparse
import json
import sys
from functools import partial
from types import ModuleType

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from getam_core.data import Entry, read_image, write_index
from getam_core.errors import InputError
from getam_core.networks import build_stem
from getam_core.saliency import (
    SaliencyNetwork,
    build_encoder,
    precomputed_saliency,
    rembg_saliency,
)
from getam_core.settings import Settings, load_settings
from getam_core.stores import StoreWriter, open_store, write_in_parts
from tests.own_kit import picture
from workflow_scripts import make_saliency, merge_shards
from workflow_scripts.saliency_network import build_saliency_network


def entries_in(folder, *sizes):
    return [
        Entry(f"p{i}", picture(folder / f"p{i}.png", i, size), "train", ())
        for i, size in enumerate(sizes)
    ]


def stored(folder, write):
    with StoreWriter(folder / "saliency.h5", "saliency", [], {}) as writer:
        write(writer)
    return open_store(folder / "saliency.h5", kind="saliency")


# --- given maps -------------------------------------------------------------------------------


def test_maps_may_have_any_suffix_size_and_depth(tmp_path):
    entries = entries_in(tmp_path, (12, 16), (20, 10), (8, 8), (9, 9))
    maps = tmp_path / "maps"
    maps.mkdir()
    half = np.zeros((40, 40), np.uint8)
    half[:, 20:] = 255
    cv2.imwrite(str(maps / "p0.bmp"), half)
    cv2.imwrite(str(maps / "p1.PNG"), half.astype(np.uint16) * 257)
    cv2.imwrite(str(maps / "p2.webp"), cv2.cvtColor(half, cv2.COLOR_GRAY2RGB))
    cv2.imwrite(str(maps / "p3.tif"), half)
    (maps / "readme.txt").write_text("not a map")
    store = stored(tmp_path, partial(precomputed_saliency(maps, entries), entries))
    assert [store[e.image_id].shape for e in entries] == [(12, 16), (20, 10), (8, 8), (9, 9)]
    for entry in entries:
        saliency = store[entry.image_id]
        assert saliency[:, 0].max() < 10 and saliency[:, -1].min() > 245


def test_two_maps_of_one_image_are_refused(tmp_path):
    entries = entries_in(tmp_path, (8, 8))
    for suffix in ("png", "jpg"):
        picture(tmp_path / "maps" / f"p0.{suffix}")
    with pytest.raises(InputError, match=r"p0\.png: p0\.jpg has the same name; keep one"):
        precomputed_saliency(tmp_path / "maps", entries)


def test_maps_of_0_and_1_are_refused_before_labels_see_nothing_salient(tmp_path):
    entries = entries_in(tmp_path, (8, 8), (8, 8))
    (tmp_path / "maps").mkdir()
    for entry, value in zip(entries, (0, 1), strict=True):
        cv2.imwrite(str(tmp_path / "maps" / entry.image.name), np.full((8, 8), value, np.uint8))
    provide = precomputed_saliency(tmp_path / "maps", entries)
    with pytest.raises(InputError, match=r"all 2 hold only 0 and 1; .*multiply by 255"):
        stored(tmp_path, partial(provide, entries))
    cv2.imwrite(str(tmp_path / "maps" / "p0.png"), np.full((8, 8), 255, np.uint8))
    assert stored(tmp_path, partial(provide, entries))["p1"].max() == 1


@pytest.fixture
def run(tmp_path):
    """`run(shard)` makes the saliency of a shard of two of four images, from given maps."""
    entries = entries_in(tmp_path, (12, 16), (20, 10), (8, 8), (9, 9))
    write_index(tmp_path / "index.csv", entries)
    for entry in entries:
        grey = read_image(picture(tmp_path / "maps" / f"{entry.image_id}.png", 7))[..., 0]
        cv2.imwrite(str(tmp_path / "maps" / f"{entry.image_id}.png"), grey)
    source = {"source": "precomputed", "folder": str(tmp_path / "maps")}
    settings = json.dumps({"data": {"layout": "folder"}, "saliency": source})

    def make(shard, shard_size=2):
        files = {"index": "index.csv", "state": f"state{shard}", "out": f"{shard}.h5"}
        paths = {name: tmp_path / file for name, file in files.items()}
        others = {"shard": shard, "shard_size": shard_size, "network": None, "settings": settings}
        make_saliency.main(argparse.Namespace(**paths, **others, split="train"))
        return tmp_path / f"{shard}.h5"

    return make


def test_shards_become_one_store(run, tmp_path):
    first, _ = run(0), run(1)
    arguments = {"index": tmp_path / "index.csv", "split": "train", "first": first, "shards": 2}
    merge_shards.main(argparse.Namespace(**arguments, out=tmp_path / "saliency.h5"))
    store = open_store(tmp_path / "saliency.h5", kind="saliency")
    assert store.ids() == ["p0", "p1", "p2", "p3"]
    assert store["p1"].shape == (20, 10)


def test_a_shard_that_was_killed_goes_on_with_its_parts(run, tmp_path, monkeypatch):
    expected = run(0, 4).read_bytes()
    in_ones = partial(write_in_parts, part=1)
    monkeypatch.setattr(make_saliency, "write_in_parts", in_ones)
    whole = make_saliency.precomputed_saliency
    written = []

    def stopped_after(parts, folder, listed):
        provide = whole(folder, listed)

        def write(entries, writer):
            if len(written) == parts:
                raise KeyboardInterrupt
            written.append(entries[0].image_id)
            provide(entries, writer)

        return write

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(make_saliency, "precomputed_saliency", partial(stopped_after, 2))
        run(0, 4)
    assert written == ["p0", "p1"]
    monkeypatch.setattr(make_saliency, "precomputed_saliency", partial(stopped_after, 9))
    assert run(0, 4).read_bytes() == expected
    assert written == ["p0", "p1", "p2", "p3"], "the last two alone"


def test_a_shard_beyond_the_split_is_refused(run):
    with pytest.raises(InputError, match="shard 2: the split has 4 images"):
        run(2)


# --- rembg, which is simulated ----------------------------------------------------------------


def fake_rembg(monkeypatch, *, maps=1):
    """A module with the two functions that are used; its network "bright" calls bright salient."""
    module = ModuleType("rembg")

    def new_session(name):
        if name != "u2net":
            raise ValueError(f"No session class found for model '{name}'")
        return name

    def remove(image, session, only_mask):
        assert session == "u2net" and only_mask and image.dtype == np.uint8
        return np.vstack([image.max(axis=2)] * maps)

    module.new_session, module.remove = new_session, remove
    monkeypatch.setitem(sys.modules, "rembg", module)


def test_rembg_gives_one_map_per_image(tmp_path, monkeypatch):
    fake_rembg(monkeypatch)
    entries = entries_in(tmp_path, (12, 16), (20, 10))
    provide = rembg_saliency("u2net")
    store = stored(tmp_path, lambda writer: provide(entries, writer))
    for entry in entries:
        brightest = cv2.imread(str(entry.image)).max(axis=2)
        np.testing.assert_array_equal(store[entry.image_id], brightest)


def test_rembg_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(InputError, match=r"install what it needs: .*getam-core\[rembg\]"):
        rembg_saliency("u2net")


def test_rembg_networks_that_cannot_serve_are_named(tmp_path, monkeypatch):
    fake_rembg(monkeypatch, maps=3)
    with pytest.raises(InputError, match=r"rembg_model: u3net cannot be loaded \(No session"):
        rembg_saliency("u3net")
    with pytest.raises(InputError, match="use one with a single map"):
        rembg_saliency("u2net")(entries_in(tmp_path, (8, 8)), None)


# --- none -------------------------------------------------------------------------------------


def test_no_saliency_means_labels_without_it():
    settings = Settings.model_validate({"saliency": {"source": "none"}})
    assert not settings.train.labels.saliency and not settings.pseudo_labels.saliency
    assert settings == Settings.model_validate_json(settings.model_dump_json())


def test_labels_that_ask_for_saliency_contradict_none(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("saliency: {source: none}\npseudo_labels: {saliency: true}\n")
    with pytest.raises(InputError, match=r"pseudo_labels\.saliency is true, but saliency\.source"):
        load_settings(path)


# --- encoders ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "max_stride", "strides"),
    [
        ("test_vit", 32, (4, 8, 16, 32)),
        ("vit_tiny_patch16_224", 16, (4, 8, 16)),
        ("swin_tiny_patch4_window7_224", 16, (4, 8, 16)),
        ("test_resnet", 32, (4, 8, 16, 32)),
    ],
)
def test_encoders_give_a_pyramid_for_any_size_and_learn(name, max_stride, strides):
    encoder = build_encoder(name, max_stride=max_stride)
    network = SaliencyNetwork(encoder, 8)
    images = torch.rand(1, 3, 96, 64)
    assert encoder.strides == strides
    for feature_map, stride, channels in zip(
        encoder(images), strides, encoder.channels, strict=True
    ):
        assert feature_map.shape == (1, channels, 96 // stride, 64 // stride)
    logits = network(images)
    assert logits.shape == (1, 96, 64)
    logits.square().mean().backward()
    first = next(p for p in encoder.parameters() if p.ndim == 4)
    assert first.grad.abs().sum() > 0


def test_an_encoder_takes_the_weights_of_a_file(tmp_path):
    torch.manual_seed(3)
    model = timm.create_model("test_vit")
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    encoder = build_encoder("test_vit", weights=tmp_path / "weights.safetensors")
    first = next(p for p in encoder.parameters() if p.ndim == 4)
    assert torch.equal(first, model.patch_embed.proj.weight)


@pytest.mark.parametrize(
    ("weights", "given", "mean", "std"),
    [
        ("file", {}, [0.5] * 3, [0.5] * 3),  # test_vit's, in timm's configuration
        ("file", {"mean": (0.1, 0.2, 0.3)}, [0.1, 0.2, 0.3], [0.5] * 3),
        (None, {}, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ],
)
@pytest.mark.parametrize(
    ("name", "build"), [("test_vit", build_encoder), ("test_resnet", build_stem)]
)
def test_images_are_normalised_as_for_the_weights(tmp_path, name, build, weights, given, mean, std):
    path = tmp_path / "weights.safetensors"
    save_file(timm.create_model(name).state_dict(), path)
    normalise = build(name, weights=weights and path, **given).normalise
    torch.testing.assert_close(normalise.mean.flatten(), torch.tensor(mean))
    torch.testing.assert_close(normalise.std.flatten(), torch.tensor(std))


def test_a_trained_saliency_network_normalises_as_in_training(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_vit").state_dict(), path)
    encoder = {"name": "test_vit", "weights": str(path)}
    settings = Settings.model_validate({"saliency": {"encoder": encoder}})
    trained, loaded = (
        build_saliency_network(settings, initial_weights=given).encoder.normalise
        for given in (True, False)
    )
    assert torch.equal(trained.mean, loaded.mean) and torch.equal(trained.std, loaded.std)


def test_a_vit_s_maps_are_its_own_where_strides_agree():
    encoder = build_encoder("test_vit").eval()
    images = torch.rand(1, 3, 64, 64)
    own = encoder.trunk.trunk(encoder.normalise(images))
    torch.testing.assert_close(encoder(images)[2], own[2])
    torch.testing.assert_close(encoder(images)[3][0, :, 0, 0], own[3][0, :, :2, :2].mean((1, 2)))


def test_patches_that_make_no_pyramid_are_refused():
    with pytest.raises(InputError, match=r"patches of 14 px do not .*use patches of 8 or 16 px"):
        build_encoder("vit_small_patch14_dinov2")


def test_the_settings_build_a_transformer_encoder():
    settings = Settings.model_validate(
        {"saliency": {"encoder": {"name": "test_vit", "weights": None}, "width": 8}}
    )
    network = build_saliency_network(settings, initial_weights=True)
    assert network.stride == 32
