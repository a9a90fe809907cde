"""Which states of a training are kept, and from which one it resumes."""

from dataclasses import replace

import pytest
import torch

from getam_core.checkpoint import load_checkpoint, save_checkpoint
from getam_core.errors import InputError
from getam_core.training import States
from getam_core.training.optimisation import Updater, build_optimizer
from tests.training_kit import CPU, PLAN, make_scenes, same_but_for_speed, trainer


def row(epoch, score, phase="both"):
    return {"epoch": epoch, "val_class_map": score, "phase": phase}


def kept(folder):
    return sorted(path.name for path in folder.iterdir())


def finish(states, rows):
    states.save({"rows": rows})
    states.keep(rows)


def test_the_last_epochs_are_kept_and_later_ones_of_an_older_run_go(tmp_path):
    states = States(tmp_path / "train.pt", {}, keep_last=2)
    (tmp_path / "train.epoch009.pt").touch()
    for epoch in (1, 2, 3):
        finish(states, [row(epoch, None)])
    assert kept(tmp_path) == ["train.epoch002.pt", "train.epoch003.pt", "train.pt"]
    assert load_checkpoint(tmp_path / "train.epoch002.pt")["rows"] == [row(2, None)]


@pytest.mark.parametrize("start", ["t.epoch001.pt", "../{here}/t.epoch001.pt"])
def test_the_state_that_a_training_starts_from_is_not_removed(tmp_path, start):
    finish(States(tmp_path / "t.pt", {}, keep_last=1), [row(1, None)])
    (tmp_path / "t.pt").unlink()
    start = tmp_path / start.format(here=tmp_path.name)
    states = States(tmp_path / "t.pt", {}, keep_last=1, resume_from=start)
    assert states.load()["rows"] == [row(1, None)]
    for epoch in (2, 3):
        finish(states, [row(epoch, None)])
    assert kept(tmp_path) == ["t.epoch001.pt", "t.epoch003.pt", "t.pt"]


def test_the_best_epoch_is_that_of_the_half_trained_last(tmp_path):
    states, best, rows = States(tmp_path / "t.pt", {}, keep_best=True), [], []
    scores = [(50.0, "classification"), (70.0, "classification"), (40.0, "both"), (60.0, "both"),
              (None, "both"), (60.0, "both")]  # fmt: skip
    for epoch, (score, phase) in enumerate(scores, 1):
        rows.append(row(epoch, score, phase))
        finish(states, rows)
        best.append(load_checkpoint(tmp_path / "t.best.pt")["rows"][-1]["epoch"])
    assert best == [1, 2, 3, 4, 4, 4]
    assert kept(tmp_path) == ["t.best.pt", "t.pt"]


def test_without_being_asked_nothing_but_the_resume_state_is_kept(tmp_path):
    states = States(tmp_path / "t.pt", {})
    finish(states, [row(1, 50.0)])
    assert kept(tmp_path) == ["t.pt"]
    states.remove()
    states.remove()
    assert kept(tmp_path) == []


def test_a_named_state_of_other_settings_is_refused_with_the_keys(tmp_path):
    save_checkpoint(tmp_path / "old.pt", {"settings": {"train": {"epochs": 2}}})
    states = States(tmp_path / "t.pt", {"train": {"epochs": 3}}, resume_from=tmp_path / "old.pt")
    with pytest.raises(InputError, match=r"old\.pt: not resumed.*train\.epochs \(2 before, 3 now"):
        states.load()
    assert (tmp_path / "old.pt").exists()


def test_a_named_state_is_where_training_starts_once(tmp_path):
    for name, number in (("old", 1), ("t", 2)):
        States(tmp_path / f"{name}.pt", {}).save({"number": number})
    states = States(tmp_path / "t.pt", {}, resume_from=tmp_path / "old.pt")
    assert states.load()["number"] == 2
    states.remove()
    assert states.load()["number"] == 1


def test_training_again_from_a_kept_epoch_is_bit_identical(tmp_path):
    scenes = make_scenes(tmp_path)
    whole = trainer(scenes, tmp_path / "one", keep_last=3)
    rows = whole.run()
    half = tmp_path / "one" / "state.epoch002.pt"
    again = trainer(scenes, tmp_path / "two", resume_from=half)
    assert same_but_for_speed(again.run()) == same_but_for_speed(rows)
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, whole.network.state_dict()[name]), name


def test_a_state_of_an_unfused_optimizer_resumes_fused():
    weights = torch.nn.Linear(2, 1)
    older, newer = (
        build_optimizer({"heads": list(weights.parameters())}, "adamw", 0.1) for _ in "12"
    )
    for group in older.param_groups:
        group["fused"] = None
    states = [Updater(weights, o, CPU, number_format=torch.float16) for o in (older, newer)]
    weights(torch.ones(1, 2)).sum().backward()
    older.step()
    states[1].load(states[0].state())
    scaler = states[1].scaler
    scaler.scale(weights(torch.ones(1, 2)).sum()).backward()
    scaler.step(newer)
    assert all(group["fused"] for group in newer.param_groups)
    assert {state["step"].item() for state in newer.state.values()} == {2}


def test_a_scaler_that_the_state_does_not_have_starts_afresh(tmp_path):
    scenes = make_scenes(tmp_path)
    trainer(scenes, tmp_path, keep_last=3).run()
    half = tmp_path / "state.epoch002.pt"
    plan = replace(PLAN, precision="float16")
    rows = trainer(scenes, tmp_path / "other", plan=plan, resume_from=half).run()
    assert len(rows) == 3
