"""Files that are either whole or absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from getam_core.files import atomic_path


def test_what_goes_wrong_leaves_what_stood_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_next_writer_removes_what_killed_ones_left_and_nothing_else(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    dead = int(ended.stdout)
    remains = tmp_path / f".a.{dead}.partial.txt"
    others = [
        tmp_path / f".a.{os.getppid()}.partial.txt",  # a process that runs
        tmp_path / f".b.{dead}.partial.txt",
        tmp_path / f".a.{dead}.partial.h5",
    ]
    for file in (remains, *others):
        file.touch()
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.txt", *others])


def test_many_files_in_one_folder_look_for_remains_once(tmp_path, monkeypatch):
    looked, whole = [], Path.glob
    monkeypatch.setattr(Path, "glob", lambda *given: looked.append(given) or whole(*given))
    for i in range(5):
        with atomic_path(tmp_path / f"{i}.txt") as temporary:
            temporary.write_text("x")
    assert len(looked) == 1 and len(list(tmp_path.iterdir())) == 5
