"""AFA in the training loop: what is learnt when; killed and resumed; two processes as one."""

import signal
from dataclasses import replace

import pytest
import torch

from getam_core.errors import InputError
from getam_core.networks import build_network
from getam_core.settings import Settings
from getam_core.training import Afa, Labelling, Processes, Recipe
from tests.networks import TINY
from tests.test_afa_step import LABELS
from tests.test_distributed import by_two
from tests.training_kit import PLAN, end_of, same_but_for_speed, trainer
from workflow_scripts.objectives import afa

AFA = {"head": "max_pooled", "affinity_blocks": 2}
WEIGHTS = {"classification": 1.0, "segmentation": 0.1, "affinity": 0.1}
ONE_HALF = replace(PLAN, second_half=3, schedule="linear", checkpoint_minutes=1e-9)
RATES = dict.fromkeys(("stem", "backbone", "heads"), 0.02)
PLAIN = replace(PLAN, epochs=4, second_half=4, batch_size=4, optimizer="sgd", learning_rate=RATES)


def objective(steps_per_epoch=5, classification=4, propagation=9, processes=None, **options):
    torch.manual_seed(0)
    network = build_network(**TINY | AFA | {"options": TINY["options"] | options})
    return Afa(
        network,
        Recipe(Labelling(labels=LABELS, method="afa")),
        WEIGHTS,
        steps_per_epoch=steps_per_epoch,
        classification_steps=classification,
        propagation_steps=propagation,
        count=(processes or Processes()).count,
    )


def afa_trainer(scenes, folder, plan=ONE_HALF):
    return trainer(scenes, folder, objective=objective(drop_path_rate=0.2), plan=plan)


@pytest.fixture(scope="module")
def whole(scenes, tmp_path_factory):
    own = afa_trainer(scenes, tmp_path_factory.mktemp("afa"))
    return own.run(), own.network.state_dict()


def test_phases_change_at_their_iteration_in_mid_epoch():
    own = objective()
    phases = [own.phase(step // 5 + step % 5 / 5) for step in range(15)]
    expected = ["classification"] * 4 + ["reliable"] * 5 + ["propagated"] * 6
    assert phases == expected
    assert [own.leaves_out(phase) for phase in phases] == [True] * 4 + [False] * 11


def test_every_term_is_learnt_and_logged_under_its_name(whole):
    rows, _ = whole
    assert [row["phase"] for row in rows] == ["classification", "reliable", "propagated"]
    assert rows[0]["loss_segmentation"] < rows[1]["loss_segmentation"]  # one step of five
    assert all(row["loss_affinity"] > 0 for row in rows)
    assert rows[-1]["loss_classification"] < rows[0]["loss_classification"]
    assert rows[-1]["val_class_map"] > 0


@pytest.mark.parametrize("item", [9, 62, 101], ids=["classification", "reliable", "propagated"])
def test_killed_and_resumed_it_ends_in_the_same_bits(scenes, whole, tmp_path, item):
    first = afa_trainer(scenes, tmp_path)
    first.images.left, first.images.number = item, signal.SIGKILL
    assert end_of(first.run) == -signal.SIGKILL
    again = afa_trainer(scenes, tmp_path)
    assert same_but_for_speed(again.run()) == same_but_for_speed(whole[0])
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, whole[1][name]), name


def train(scenes, folder, processes=None):
    own = objective(2, 2, 5, processes)
    own = trainer(scenes, folder, objective=own, plan=PLAIN, processes=processes, images=5)
    rows = own.run()
    return {"losses": [row["loss"] for row in rows], "model": own.network.state_dict()}


def test_two_processes_train_as_one_does(scenes, tmp_path):
    alone = train(scenes, tmp_path / "one")
    first, second = by_two(tmp_path / "two", lambda own: train(scenes, tmp_path / "two", own))
    torch.testing.assert_close(first["losses"], alone["losses"], rtol=1e-5, atol=0)
    for name, value in alone["model"].items():
        torch.testing.assert_close(first["model"][name], value, rtol=1e-4, atol=1e-6, msg=name)
        assert torch.equal(first["model"][name], second["model"][name]), name


def test_a_training_that_ends_before_it_segments_is_refused():
    model = {"name": "vit_tiny_patch16_224", **AFA}
    settings = Settings.model_validate({"model": model, "train": {"method": "afa", "epochs": 3}})
    with pytest.raises(InputError, match=r"classification_iterations: 2000, but .* 30 iterations"):
        afa(None, settings, 10, None)
