"""A stage that has finished is not run again, and one that runs is not run twice."""

import errno
import fcntl
import json
import logging
import os
import signal
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from getam_core.errors import InputError
from getam_core.once import Finished, alone
from tests.salient import write_pairs
from tests.training_kit import end_of
from workflow_scripts import command, train_saliency

REFUSED = 78

ENCODER = {"name": "test_resnet", "weights": None, "max_stride": 16}
SALIENCY = {"encoder": ENCODER, "width": 8, "size": 32, "scale_range": [32, 40], "epochs": 1}


def finish(folder: Path, identity: dict, content: str = "a") -> tuple[Finished, Path]:
    """Finish a stage of this identity; return the record and its output."""
    output = folder / "out" / "network.pt"
    finished = Finished(folder / "s.finished", identity, output)
    finished.place(output).parent.mkdir(parents=True)
    finished.place(output).write_text(content)
    finished.hand_over()
    return finished, output


def test_what_has_finished_comes_back_after_its_outputs_are_deleted(tmp_path):
    output = tmp_path / "out" / "network.pt"
    assert not Finished(tmp_path / "s.finished", {"seed": (1, 2)}, output).restore()
    finish(tmp_path, {"seed": (1, 2)})
    assert output.read_text() == "a" and output.stat().st_nlink == 2  # no second copy on the disk
    os.utime(output, (0, 0))
    output.unlink()
    assert Finished(tmp_path / "s.finished", {"seed": [1, 2]}, output).restore()
    assert output.read_text() == "a" and output.stat().st_mtime > 0


def test_other_settings_are_not_finished_and_replace_what_was(tmp_path):
    first, output = finish(tmp_path, {"seed": 1})
    assert not Finished(tmp_path / "s.finished", {"seed": 2}, output).restore()
    second, output = finish(tmp_path, {"seed": 2}, "b")
    output.unlink()
    assert second.restore() and output.read_text() == "b"
    assert not first.restore()


def test_outputs_that_are_half_written_replace_nothing(tmp_path):
    first, output = finish(tmp_path, {"seed": 1})
    second = Finished(tmp_path / "s.finished", {"seed": 2}, output, output.with_name("metrics.csv"))
    second.place(output).parent.mkdir()
    second.place(output).write_text("b")
    assert first.restore() and output.read_text() == "a"
    assert not second.restore()


def test_what_was_kept_by_half_is_not_taken(tmp_path):
    finished, _ = finish(tmp_path, {})
    (tmp_path / "s.finished" / "network.pt").unlink()
    assert not finished.restore()


def test_a_file_system_without_links_has_copies(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", refuse)
    finished, output = finish(tmp_path, {})
    output.unlink()
    assert finished.restore() and output.read_text() == "a"


def test_a_second_process_is_refused_with_the_first_one_named(tmp_path):
    def second():
        with (
            pytest.raises(InputError, match=rf"running already \(process {os.getppid()} on .*wait"),
            alone(tmp_path / "s.lock"),
        ):
            pass
        os._exit(REFUSED)

    with alone(tmp_path / "s.lock"):
        assert end_of(second) == REFUSED
    assert end_of(lambda: alone(tmp_path / "s.lock").__enter__()) == 0


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    def killed():
        with alone(tmp_path / "s.lock"):
            os.kill(os.getpid(), signal.SIGKILL)

    assert end_of(killed) == -signal.SIGKILL
    with alone(tmp_path / "s.lock"):
        pass


def test_a_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with caplog.at_level(logging.WARNING), alone(tmp_path / "s.lock"):
        assert "cannot be locked" in caplog.text


def test_a_copy_that_is_refused_adds_to_the_log_of_the_one_that_runs(tmp_path):
    """If it emptied the log, Snakemake would show another error than the stage's."""
    log, state = tmp_path / "stage.log", tmp_path / "state.pt"
    log.write_text("of the run before\n")

    def stage(main):
        parser = command.parser("", state="of the stage")
        command.add_saving(parser)
        words = ["stage", "--state", str(state), "--log", str(log)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words)
            patch.setattr(logging.getLogger(), "handlers", [])
            command.run(main, parser)

    def second(arguments):
        with command.only_copy(arguments):
            pass

    def first(arguments):
        with command.only_copy(arguments):
            logging.info("before")
            assert end_of(lambda: stage(second)) == command.WRONG_INPUT
            logging.info("after")

    assert end_of(lambda: stage(first)) == 0
    before, refused, after = log.read_text().splitlines()
    assert before.endswith("before") and "running already" in refused and after.endswith("after")


def test_a_training_whose_outputs_were_deleted_ends_at_once_with_the_same_bytes(tmp_path, caplog):
    """As after Snakemake is killed: it then calls the outputs incomplete and deletes them."""
    caplog.set_level(logging.INFO)
    arguments = Namespace(
        images=write_pairs(tmp_path / "pairs", 8),
        out=tmp_path / "network.pt",
        scores=tmp_path / "saliency.json",
        state=tmp_path / "state" / "saliency.pt",
        events=tmp_path / "events",
        settings=json.dumps({"seed": 1, "saliency": SALIENCY}),
        device="cpu",
        threads=1,
        anew=False,
        log=None,
    )
    outputs, before = (arguments.out, arguments.scores), []
    for epochs in (1, 0):
        caplog.clear()
        train_saliency.main(arguments)
        assert caplog.text.count("epoch 1,") == epochs
        before.append([output.read_bytes() for output in outputs])
        assert not arguments.state.exists()
        for output in outputs:
            output.unlink()
    assert before[0] == before[1]
    assert "already finished" in caplog.text and "to run the stage again" in caplog.text
    for change in ("images", "forced"):
        caplog.clear()
        (arguments.images / "images" / "00.png").touch()  # as if the images had changed
        arguments.anew = change == "forced"
        train_saliency.main(arguments)
        assert "epoch 1," in caplog.text
