"""Saliency: training that resumes, its file, and the two providers."""

import signal
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from getam_core.checkpoint import load_checkpoint
from getam_core.data import Entry
from getam_core.errors import InputError, Interrupted
from getam_core.networks.stem import Normalise, Stem
from getam_core.saliency import (
    SaliencyNetwork,
    SaliencyPlan,
    find_pairs,
    load_saliency,
    network_saliency,
    precomputed_saliency,
    predict_saliency,
    structure_loss,
    train_saliency,
)
from getam_core.saliency.pairs import PairCrops
from getam_core.signals import STOPS
from getam_core.stores import StoreWriter, open_store
from tests.salient import write_pairs


class Trunk(nn.Module):
    """Maps at strides 4, 8 and 16, with batch norm, whose averages are part of the state."""

    def __init__(self):
        super().__init__()
        widths = [(3, 12, 4), (12, 16, 2), (16, 16, 2)]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 2 * s - 1, s, s - 1), nn.BatchNorm2d(b), nn.ReLU())
            for a, b, s in widths
        )

    def forward(self, x):
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def new_network(seed=0, width=12):
    torch.manual_seed(seed)
    normalise = Normalise([0.5] * 3, [0.25] * 3)
    encoder = Stem(Trunk(), normalise, channels=(12, 16, 16), strides=(4, 8, 16))
    return SaliencyNetwork(encoder, width)


@pytest.fixture(autouse=True)
def one_thread():
    """The steps here are tiny: threads would wait for each other more than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


PLAN = SaliencyPlan(
    size=48,
    scale_range=(48, 64),
    epochs=2,
    batch_size=4,
    learning_rate=2e-3,
    encoder_rate=1.0,
    held_out=0.25,
    seed=1,
)


def train(pairs, network, folder, precision="float32", **changes):
    return train_saliency(
        pairs,
        network,
        replace(PLAN, **changes),
        out=folder / "network.pt",
        state=folder / "state.pt",
        events=folder / "events",
        precision=precision,
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return find_pairs(write_pairs(tmp_path_factory.mktemp("salient"), 16))


def entries_of(pairs):
    return [Entry(image.stem, image, "train", ()) for image, _ in pairs]


# ----------------------------------------------------------------------------------- training


def test_network_gives_a_logit_per_pixel_and_every_parameter_learns():
    network = new_network()
    logits = network(torch.rand(2, 3, 64, 48))
    assert logits.shape == (2, 64, 48)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_learning_rate_warms_up_and_ends_at_zero():
    schedule = PLAN.of_loop("float32", 10.0).rates(50)  # 100 steps
    rates = [schedule.rate("decoder", step) / PLAN.learning_rate for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[3] == pytest.approx((3 / 5 + 0.1) * (1 - 3 / 100) ** 0.9)
    assert rates.index(max(rates)) == 5
    assert rates[99] < 0.02
    assert all(a > b for a, b in pairwise(rates[5:]))


def test_it_learns_to_see_bright_discs(pairs, tmp_path):
    score = train(pairs, new_network(), tmp_path, epochs=12)
    assert score["images"] == 4
    assert score["mae"] < 0.1
    assert score["max_f"] > 0.9


def test_the_file_gives_the_network_back_and_refuses_another(pairs, tmp_path):
    network = new_network()
    score = train(pairs, network, tmp_path)
    images = torch.rand(2, 3, 48, 64)
    loaded = load_saliency(tmp_path / "network.pt", new_network(seed=5))
    assert torch.equal(predict_saliency(loaded, images), predict_saliency(network, images))
    content = torch.load(tmp_path / "network.pt", weights_only=True)
    assert content["held_out"] == score
    assert content["settings"]["size"] == 48
    with pytest.raises(InputError, match="not a saliency network of these settings"):
        load_saliency(tmp_path / "network.pt", new_network(width=8))


@pytest.mark.parametrize("known", [True, False])
def test_a_loaded_network_normalises_as_it_was_trained(pairs, tmp_path, known):
    network, path = new_network(), tmp_path / "network.pt"
    train(pairs, network, tmp_path, epochs=1)
    if not known:  # a file of an earlier version
        content = torch.load(path, weights_only=True)
        del content["normalise"]
        torch.save(content, path)
    other = new_network()
    other.encoder.normalise = Normalise([0.1] * 3, [0.9] * 3, bgr=True)
    images = torch.rand(2, 3, 48, 64)
    same = torch.equal(
        predict_saliency(load_saliency(path, other), images), predict_saliency(network, images)
    )
    assert same == known


def test_a_state_belongs_to_images_and_masks_as_they_are(tmp_path):
    pairs = find_pairs(write_pairs(tmp_path, 2))
    before = PLAN.settings(new_network(), pairs)
    assert PLAN.settings(new_network(), pairs) == before
    mask = cv2.imread(str(pairs[0][1]), cv2.IMREAD_GRAYSCALE)
    mask[:, ::2] = 0
    cv2.imwrite(str(pairs[0][1]), mask)
    assert PLAN.settings(new_network(), pairs)["images"] != before["images"]


def stop_at(monkeypatch, item, number=signal.SIGTERM):
    """Send this process a signal when the n-th crop is asked for."""
    read, asked = PairCrops.__getitem__, iter(range(1, 10_000))

    def reading(self, index):
        if next(asked) == item:
            signal.raise_signal(number)
        return read(self, index)

    monkeypatch.setattr(PairCrops, "__getitem__", reading)


@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
def test_a_stopped_training_ends_with_the_same_network(pairs, tmp_path, monkeypatch, number):
    straight, resumed = new_network(), new_network()
    train(pairs, straight, tmp_path / "straight", epochs=3)
    with monkeypatch.context() as patch, pytest.raises(Interrupted, match="same command to resume"):
        stop_at(patch, 17, number)  # in the second of three steps of the second epoch
        train(pairs, new_network(), tmp_path, epochs=3)
    state = load_checkpoint(tmp_path / "state.pt")
    assert (state["epoch"], state["step"]) == (1, 2)
    assert not (tmp_path / "network.pt").exists()
    train(pairs, resumed, tmp_path, epochs=3)
    for a, b in zip(straight.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_random_layers_go_on_where_they_stopped(pairs, tmp_path, monkeypatch):
    networks = [new_network() for _ in range(2)]
    for network in networks:
        network.encoder.trunk.stages[0].append(nn.Dropout(0.5))
    torch.manual_seed(7)
    train(pairs, networks[0], tmp_path / "straight")
    torch.manual_seed(7)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        stop_at(patch, 6)
        train(pairs, networks[1], tmp_path)
    torch.manual_seed(8)
    train(pairs, networks[1], tmp_path)
    states = [network.state_dict() for network in networks]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_half_precision_learns_the_same(pairs, tmp_path):
    formats = ("float32", "bfloat16")
    scores = [train(pairs, new_network(), tmp_path / name, precision=name) for name in formats]
    assert scores[1]["mae"] == pytest.approx(scores[0]["mae"], rel=0.1)


def test_the_loss_is_in_tensorboard_after_every_epoch(pairs, tmp_path):
    train(pairs, new_network(), tmp_path)
    log = EventAccumulator(str(tmp_path / "events")).Reload()
    assert [event.step for event in log.Scalars("loss")] == [3, 6]


def test_parts_of_a_batch_have_the_loss_of_the_batch():
    """However processes share it, even if one is idle: losses are averaged over the processes."""
    torch.manual_seed(0)
    logits, target = torch.randn(3, 24, 24), torch.rand(3, 24, 24).round()
    valid = torch.ones(3, 24, 24, dtype=torch.bool)

    def count(_own):
        return torch.tensor(3) / 3  # images of all processes, divided by the number of processes

    own = [(slice(0, 2), True), (slice(2, 3), True), (slice(0, 1), False)]
    losses = [
        structure_loss(logits[part], target[part], valid[part] & busy, count) for part, busy in own
    ]
    assert sum(losses).item() / 3 == pytest.approx(structure_loss(logits, target, valid).item())


def test_state_of_other_settings_is_set_aside(pairs, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        stop_at(patch, 14)
        train(pairs, new_network(), tmp_path)
    train(pairs, new_network(), tmp_path, learning_rate=1e-3)
    assert "learning_rate" in caplog.text
    assert len(list(tmp_path.glob("state.*.pt"))) == 1


def test_at_least_one_pair_must_be_left_to_train_on(pairs, tmp_path):
    with pytest.raises(InputError, match="none is left to train on"):
        train(pairs[:1], new_network(), tmp_path)


# ---------------------------------------------------------------------------------- providers


def test_network_saliency_is_stored_at_the_images_own_size(tmp_path):
    rng = np.random.default_rng(0)
    entries = []
    for i, shape in enumerate([(50, 70, 3), (51, 70, 3), (40, 33, 3)]):
        cv2.imwrite(str(tmp_path / f"{i}.png"), rng.integers(0, 256, shape, dtype=np.uint8))
        entries.append(Entry(str(i), tmp_path / f"{i}.png", "train", ()))
    with StoreWriter(tmp_path / "saliency.h5", "saliency", [], {}) as writer:
        network_saliency(new_network(), entries, writer, size=64)
    store = open_store(tmp_path / "saliency.h5", kind="saliency")
    assert [store[str(i)].shape for i in range(3)] == [(50, 70), (51, 70), (40, 33)]
    assert store["0"].dtype == np.uint8


def test_precomputed_maps_are_resized_to_their_images(pairs, tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    for (_, mask), suffix in zip(pairs, [".jpg", ".png"] * 8, strict=True):
        grey = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(folder / f"{mask.stem}{suffix}"), cv2.resize(grey, (32, 48)))
    with StoreWriter(tmp_path / "saliency.h5", "saliency", [], {}) as writer:
        precomputed_saliency(folder, entries_of(pairs))(entries_of(pairs), writer)
    store = open_store(tmp_path / "saliency.h5", kind="saliency")
    for image, mask in pairs:
        truth = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
        saliency = store[image.stem]
        assert saliency.shape == truth.shape
        assert np.mean((saliency > 127) == (truth > 127)) > 0.95


def test_all_missing_precomputed_maps_are_named(pairs, tmp_path):
    cv2.imwrite(str(tmp_path / f"{pairs[0][0].stem}.png"), np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match="15 problems"):
        precomputed_saliency(tmp_path, entries_of(pairs))
    with pytest.raises(InputError, match="no such folder"):
        precomputed_saliency(tmp_path / "none", entries_of(pairs))
