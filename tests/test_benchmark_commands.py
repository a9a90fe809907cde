"""The commands beside the tables: what needs a GPU, rehearsed on a CPU, and time to quality."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import torch

from benchmarks import gpu, quality
from benchmarks.gpu_sizes import REHEARSAL
from benchmarks.timing import CPU


def test_everything_for_a_gpu_rehearses_on_a_cpu(capsys):
    assert gpu.main(["--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert [line[4:] for line in said.splitlines() if line.startswith("### ")] == list(gpu.SECTIONS)
    assert "Skipped" not in said
    assert "| gloo |" in said and "| float16 |" in said


def test_a_section_that_fails_leaves_the_others_alone(capsys):
    def broken(_sizes, _device):
        raise RuntimeError("no kernel image")

    sections = {"broken": broken, "whole": lambda _sizes, _device: "| a table |"}
    assert gpu.print_tables(sections, REHEARSAL, CPU, minutes=1) == ["broken"]
    said = capsys.readouterr().out
    assert "Failed: RuntimeError: no kernel image" in said and "| a table |" in said


def test_no_section_begins_when_the_time_is_over(capsys):
    sections = {"late": lambda _sizes, _device: "| a table |"}
    assert gpu.print_tables(sections, REHEARSAL, CPU, minutes=-1) == []
    assert "| a table |" not in capsys.readouterr().out


def test_a_missing_gpu_is_said(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        gpu.main([])
    assert "--device cpu rehearses" in capsys.readouterr().err


@pytest.mark.parametrize(("val", "reached"), [(41.5, "yes"), (39.9, "no")])
def test_time_to_quality_is_until_each_figure_is_there(val, reached, tmp_path, monkeypatch):
    figures = {"pseudo_labels": (47.2, 180), "segmentation_val": (val, 600)}  # mIoU, seconds

    def run(command, check):
        folder = Path(command[command.index("--directory") + 1])
        for path in map(folder.joinpath, command[command.index("--") + 1 :]):
            miou, seconds = figures[path.stem]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"miou": miou}))
            os.utime(path, (time.time() + seconds,) * 2)
        assert (folder / "config/voc_mini.yaml").exists()
        assert f"data_root={tmp_path / 'data'}" in command and "device=cuda" in command

    monkeypatch.setattr(subprocess, "run", run)
    folder = tmp_path / "clean"
    folder.mkdir()
    scored = quality.measure(folder, tmp_path / "data", cores=1, overrides=["device=cuda"])
    monkeypatch.undo()
    row = quality.row(scored, "a machine")
    assert row[1:] == ["a machine", "47.2", "3.0", f"{val:.1f}", "10.0", reached]
    assert len(row) == len(quality.COLUMNS)
