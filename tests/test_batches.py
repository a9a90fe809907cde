"""Inference in batches: like images share one, and results keep the list's order and values."""

from pathlib import Path
from threading import get_ident

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from getam_core.activation import METHODS
from getam_core.classes import SCENE_CLASSES
from getam_core.data import Entry, read_image, resize_to_stride
from getam_core.data.tensors import to_tensor
from getam_core.errors import InputError
from getam_core.inference import maps as maps_module
from getam_core.inference.batches import inference_batches, results_of
from getam_core.inference.maps import export_maps
from getam_core.inference.predictions import predict_split
from getam_core.inference.reading import batches_alike, in_order, read_ahead
from getam_core.inference.single_stage import SingleStage
from getam_core.networks import build_network
from getam_core.processes import Workers
from getam_core.stores import StoreWriter, open_store, read_maps

CPU = torch.device("cpu")


@given(
    st.lists(st.integers(0, 3), max_size=40),
    st.integers(1, 5),
    st.integers(1, 12),
    st.integers(1, 50),
)
def test_batches_hold_like_items_of_one_window_each_item_once(kinds, size, window, most):
    batches = list(
        batches_alike(kinds, size, alike=lambda k: k, nbytes=lambda k: 10, window=window, most=most)
    )
    places = [place for batch in batches for place, _ in batch]
    assert sorted(places) == list(range(len(kinds)))
    reach = min(window, -(-most // 10))  # images until one of a window's two limits
    for batch in batches:
        assert len(batch) <= size and len({kind for _, kind in batch}) == 1
        assert len({place // reach for place, _ in batch}) == 1
    made = in_order((place, 2 * kind) for batch in batches for place, kind in batch)
    assert list(made) == [2 * kind for kind in kinds]


def test_results_come_as_soon_as_it_is_their_turn():
    taken = []

    def results():
        for place in (1, 0, 3, 2):
            taken.append(place)
            yield place, str(place)

    given_out = in_order(results())
    assert next(given_out) == "0" and taken == [1, 0]
    assert list(given_out) == ["1", "2", "3"]


def test_reading_is_in_threads_a_few_items_ahead_and_its_errors_come_in_turn():
    started, threads = [], set()

    def read(item):
        started.append(item)
        threads.add(get_ident())
        if item == 7:
            raise InputError("no image")
        return item

    made = read_ahead(read, range(100), threads=2)
    assert [next(made) for _ in range(7)] == list(range(7))
    with pytest.raises(InputError, match="no image"):
        next(made)
    assert max(started) <= 7 + 5 and get_ident() not in threads


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    options = {"patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}
    network = build_network(
        num_classes=len(SCENE_CLASSES), name="vit_tiny_patch16_224", image_size=32,
        options=options, decoder_width=8,
    ).eval()  # fmt: skip
    for parameter in network.parameters():  # initial weights leave attention flat
        if parameter.dim() == 2:
            parameter.data.mul_(3)
    return network


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    """Wide and tall pictures by turns, of one and two classes."""
    folder, rng, entries = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0), []
    for i in range(9):
        size = (32, 48) if i % 2 else (48, 40)
        cv2.imwrite(str(folder / f"p{i}.png"), rng.integers(0, 256, (*size, 3), np.uint8))
        classes = SCENE_CLASSES[: 1 + i % 3 // 2]
        entries.append(Entry(f"p{i}", folder / f"p{i}.png", "train", classes))
    return entries


def test_images_are_those_of_one_at_a_time_to_the_bit(entries):
    options = {"long_side": 32, "stride": 8}
    batches = inference_batches(
        entries, batch_size=8, apart=lambda entry: len(entry.classes), **options
    )
    shapes = []

    def compute(batch):
        shapes.append((len(batch.places), batch.entries[0].classes))
        return batch.images(CPU)

    made = list(results_of(batches, compute, "", len(entries)))
    for entry, image in zip(entries, made, strict=True):
        resized = resize_to_stride(read_image(entry.image), **options)
        assert torch.equal(image, to_tensor(resized))
    assert len(shapes) == 4, "two shapes, each with images of one class and of two"


def exported(path, network, entries, method):
    with StoreWriter(path, "maps", SCENE_CLASSES, {}) as writer:
        export_maps(
            METHODS[method], network, entries, writer,
            classes=SCENE_CLASSES, size=None, flip=True, device=CPU,
        )  # fmt: skip
    return open_store(path, "maps")


def alone(entries):
    """A patch for `export_maps`: every image in its own batch."""
    return lambda listed, **options: inference_batches(listed, **options | {"batch_size": 1})


def as_computed(store, entry):
    stored = read_maps(store, entry.image_id)
    return stored.maps * stored.maximum[:, None, None], stored.scores


def test_maps_are_those_of_one_at_a_time(network, entries, tmp_path, monkeypatch):
    together = exported(tmp_path / "together.h5", network, entries, "getam")
    monkeypatch.setattr(maps_module, "inference_batches", alone(entries))
    singly = exported(tmp_path / "singly.h5", network, entries, "getam")
    for entry in entries:
        pairs = zip(as_computed(together, entry), as_computed(singly, entry), strict=True)
        for ours, wanted in pairs:
            np.testing.assert_allclose(ours, wanted, rtol=2e-3, atol=1e-5 * abs(wanted).max())


def test_the_maps_of_bfloat16_are_nearly_those_of_float32(network, entries, tmp_path, monkeypatch):
    exact = exported(tmp_path / "exact.h5", network, entries[:4], "getam")
    monkeypatch.setattr(
        maps_module, "products_of_inference", lambda _: torch.autocast("cpu", torch.bfloat16)
    )
    rough = exported(tmp_path / "rough.h5", network, entries[:4], "getam")
    for entry in entries[:4]:
        ours, wanted = as_computed(rough, entry)[0], as_computed(exact, entry)[0]
        assert 0 < np.abs(ours - wanted).max() < 0.1 * wanted.max()


def test_predictions_are_those_of_one_at_a_time(network, entries, tmp_path):
    predictor = SingleStage(network, sizes=(32, None), flip=True)
    with StoreWriter(tmp_path / "p.h5", "predictions", SCENE_CLASSES, {}) as writer:
        predict_split(predictor, entries, writer, None, workers=Workers(1))
    store = open_store(tmp_path / "p.h5")
    for entry in entries:
        alone = predictor(read_image(Path(entry.image)))
        np.testing.assert_array_equal(store[entry.image_id], alone.label_map())
        for name, value in alone.attributes().items():
            np.testing.assert_allclose(store.attributes(entry.image_id)[name], value, rtol=1e-4)
