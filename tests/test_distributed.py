"""Two processes against one: the same global batch gives the same losses and the same network."""

import multiprocessing
import os
import signal
import socket
from dataclasses import replace

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st

from getam_core.errors import Interrupted
from getam_core.networks import build_network
from getam_core.training import Processes, joined
from getam_core.training.distributed import divide
from tests.networks import TINY, random_images, tiny_network
from tests.training_kit import CPU, PLAN, WEIGHTS, trainer

SAME = {"stem": 0.02, "backbone": 0.02, "heads": 0.02}
STEPS = replace(
    PLAN,
    epochs=20,
    second_half=8,
    batch_size=4,
    optimizer="sgd",
    learning_rate=SAME,
    validate_every=20,
)


def train(scenes, folder, plan, images, processes=None, stop_at=-1):
    weights = WEIGHTS | {"dense_energy": 1e-5}
    options = {"processes": processes, "images": images, "weights": weights}
    own = trainer(scenes, folder, model=tiny_network(), plan=plan, **options)
    own.images.left = stop_at
    rows = own.run()
    return {"losses": [row["loss"] for row in rows], "model": own.network.state_dict()}


def one_of_two(rank, port, folder, work):
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    values = (rank, 2, rank, "127.0.0.1", port)
    os.environ |= dict(zip(names, map(str, values), strict=True))
    with joined(CPU) as processes:
        try:
            result = work(processes)
        except Interrupted:
            result = None
        torch.save(result, folder / f"result{rank}.pt")


def by_two(folder, work):
    """Return what `work(processes)` returns in both processes, None where one was interrupted."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    arguments = (port, folder, work)
    running = [context.Process(target=one_of_two, args=(rank, *arguments)) for rank in (0, 1)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
        assert process.exitcode == 0
    return [torch.load(folder / f"result{rank}.pt", weights_only=True) for rank in (0, 1)]


def train_by_two(scenes, folder, plan, images, stop_at=0):
    """Do the same for `train`; `stop_at`: the second process gets SIGTERM at that item."""
    return by_two(
        folder, lambda own: train(scenes, folder, plan, images, own, stop_at * own.rank or -1)
    )


@pytest.mark.parametrize(
    ("images", "parts"), [(4, 1), (5, 1), (8, 2)], ids=["even", "one idle", "accumulated"]
)
def test_two_processes_train_as_one_does(scenes, tmp_path, images, parts):
    epochs = STEPS.epochs if images == 4 else 6  # 20 steps, or 12
    plan = replace(STEPS, accumulate=parts, epochs=epochs, second_half=epochs // 3)
    alone = train(scenes, tmp_path / "one", plan, images)
    first, second = train_by_two(scenes, tmp_path / "two", plan, images)
    torch.testing.assert_close(first["losses"], alone["losses"], rtol=1e-5, atol=0)
    assert alone["losses"][epochs // 3 - 1] < alone["losses"][0]
    for name, value in alone["model"].items():
        torch.testing.assert_close(first["model"][name], value, rtol=1e-4, atol=1e-6, msg=name)
        assert torch.equal(first["model"][name], second["model"][name]), name


def test_two_processes_train_a_stem_with_layers_beyond_its_maps(scenes, tmp_path):
    """torch waits for the gradient of every parameter that is trained."""
    plan = replace(STEPS, epochs=3, second_half=1)

    def work(processes):
        stem = {"name": "test_efficientnet"}
        options = {"patch_size": 1, "embed_dim": 16, "depth": 2, "num_heads": 2}
        torch.manual_seed(0)
        model = build_network(**TINY | {"stem": stem, "options": options})
        own = trainer(scenes, tmp_path, model=model, plan=plan, images=8, processes=processes)
        return {"losses": [row["loss"] for row in own.run()]}

    first, second = by_two(tmp_path, work)
    assert first == second and len(first["losses"]) == 3


def test_one_of_two_is_stopped_and_both_go_on_to_the_same_bits(scenes, tmp_path):
    plan = replace(STEPS, epochs=4, second_half=2)
    undisturbed = train_by_two(scenes, tmp_path / "whole", plan, 12)
    assert train_by_two(scenes, tmp_path / "stopped", plan, 12, stop_at=15) == [None, None]
    again = train_by_two(scenes, tmp_path / "stopped", plan, 12)
    assert again[0]["losses"] == undisturbed[0]["losses"]
    for name, value in undisturbed[0]["model"].items():
        assert torch.equal(again[0]["model"][name], value), name


def test_the_mean_over_images_does_not_depend_on_how_a_batch_is_cut(scenes, tmp_path):
    plan = replace(STEPS, epochs=4, second_half=4)
    whole = train(scenes, tmp_path / "one", plan, 5)
    cut = train(scenes, tmp_path / "two", replace(plan, accumulate=3), 5)
    torch.testing.assert_close(cut["losses"], whole["losses"], rtol=1e-5, atol=0)


@given(images=st.integers(1, 20), parts=st.integers(1, 5), size=st.integers(1, 5))
def test_a_batch_is_divided_without_loss_and_evenly(images, parts, size):
    batch = list(range(100, 100 + images))
    divided = [divide(batch, parts, Processes(rank, size)) for rank in range(size)]
    assert len({len(own) for own in divided}) == 1
    done = [i for own in divided for part in own if not part.idle for i in part.indices]
    assert sorted(done) == batch
    assert all(part.indices for own in divided for part in own)
    for same in zip(*divided, strict=True):
        sizes = [0 if part.idle else len(part.indices) for part in same]
        assert max(sizes) - min(sizes) <= 1
        assert {part.weight for part in same} == {sum(sizes) / images}
    assert sum(part.weight for part in divided[0]) == pytest.approx(1)


@torch.no_grad()
@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet"])
def test_norms_that_share_their_statistics_keep_their_activations(name):
    model, images = timm.create_model(name).eval(), random_images(2, 3, 64, 64)
    expected = model(images)
    shared = Processes(size=2).share_statistics(model, torch.device("cuda"))
    norms = [m for m in shared.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert norms and all(isinstance(norm, torch.nn.SyncBatchNorm) for norm in norms)
    torch.testing.assert_close(shared(images), expected)


def test_a_stop_says_which_signal_it_was():
    assert Interrupted("saved", signal.SIGTERM).signals == (signal.SIGTERM,)
