"""Files that are either whole or absent."""

import os
import subprocess
import sys

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
