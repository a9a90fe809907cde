"""Files of networks and of resume states."""

import errno

import pytest
import torch

from getam_core.checkpoint import (
    differing_keys,
    load_checkpoint,
    load_resumable,
    load_same,
    save_checkpoint,
)
from getam_core.classes import SCENE_CLASSES
from getam_core.errors import InputError
from getam_core.networks import load_network, save_network
from tests.networks import TINY, tiny_network


class TestCheckpoint:
    def test_a_network_comes_back_with_its_predictions(self, tmp_path):
        model = tiny_network().eval()
        save_network(tmp_path / "n.pt", model, {**TINY, "weights": "hub"}, SCENE_CLASSES)
        images = torch.rand(2, 3, 32, 32)
        again = load_network(tmp_path / "n.pt")
        with torch.no_grad():
            assert torch.equal(again(images), model(images))

    def test_a_file_that_would_run_code_is_refused(self, tmp_path):
        torch.save({"model": print}, tmp_path / "evil.pt")
        with pytest.raises(InputError, match=r"evil\.pt: not a readable checkpoint"):
            load_checkpoint(tmp_path / "evil.pt")

    def test_another_kind_of_file_is_no_network(self, tmp_path):
        save_checkpoint(tmp_path / "saliency.pt", {"network": {}, "settings": {}})
        with pytest.raises(InputError, match=r"saliency\.pt: not a network written by"):
            load_network(tmp_path / "saliency.pt")

    def test_the_same_content_is_the_same_bytes_whichever_process_writes(
        self, tmp_path, monkeypatch
    ):
        for process in (1, 23456):
            monkeypatch.setattr("os.getpid", lambda process=process: process)
            save_checkpoint(tmp_path / f"{process}.pt", {"model": torch.arange(3)})
        assert (tmp_path / "1.pt").read_bytes() == (tmp_path / "23456.pt").read_bytes()

    def test_a_missing_file_says_which_stage_makes_it(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.pt: no such checkpoint"):
            load_checkpoint(tmp_path / "none.pt")

    def test_damaged_state_is_set_aside_not_lost(self, tmp_path, caplog):
        path = tmp_path / "s.pt"
        path.write_bytes(b"half a file")
        assert load_resumable(path, {}) is None
        assert path.with_name("s.aside1.pt").read_bytes() == b"half a file"
        assert "was renamed to" in caplog.text

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (OSError(errno.ESTALE, "stale"), r"Stale file handle\).*mounted"),
            (PermissionError(errno.EACCES, "denied"), r"Permission denied\).*ask the owner"),
            (OSError(5000, "of another kind"), "of another kind.*run the command again"),
            (MemoryError(), "MemoryError.*memory, then run the command again"),
            (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "can't allocate memory"),
        ],
    )
    def test_what_the_machine_cannot_read_now_stays_where_it_is(
        self, tmp_path, monkeypatch, error, said
    ):
        def fail(*_, **__):
            raise error

        save_checkpoint(tmp_path / "s.pt", {"settings": {}})
        monkeypatch.setattr(torch, "load", fail)
        with pytest.raises(InputError, match=rf"s\.pt: could not be read \(.*{said}"):
            load_resumable(tmp_path / "s.pt", {})
        assert [path.name for path in tmp_path.iterdir()] == ["s.pt"]

    @pytest.mark.parametrize("content", [{"model": {}}, [1, 2], {"settings": {}}])
    def test_a_state_of_something_else_is_set_aside_and_refused_by_name(
        self, tmp_path, caplog, content
    ):
        save_checkpoint(tmp_path / "s.pt", content)
        with pytest.raises(InputError, match=r"not resumed, it is not a .*resume_from"):
            load_same(tmp_path / "s.pt", {}, {"epoch"})
        assert load_resumable(tmp_path / "s.pt", {}, {"epoch"}) is None
        assert "it is not a " in caplog.text and (tmp_path / "s.aside1.pt").exists()

    def test_a_second_state_that_is_set_aside_keeps_the_first(self, tmp_path):
        for seed in (1, 2):
            save_checkpoint(tmp_path / "s.pt", {"settings": {"seed": seed}})
            assert load_resumable(tmp_path / "s.pt", {"seed": 0}) is None
        kept = [load_checkpoint(tmp_path / f"s.aside{n}.pt")["settings"]["seed"] for n in (1, 2)]
        assert kept == [1, 2]

    def test_differing_keys_are_found_at_any_depth(self):
        old = {"a": {"b": 1, "c": [1, 2]}, "d": 0}
        new = {"a": {"b": 1, "c": [1, 3]}, "e": 0}
        assert differing_keys(old, new) == [
            "a.c ([1, 2] before, [1, 3] now)",
            "d (0 before, None now)",
            "e (None before, 0 now)",
        ]
