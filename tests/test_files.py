"""Files that are either whole or absent."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from getam_core.data.listing import LONGEST_ID
from getam_core.files import atomic_path


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    return int(ended.stdout)


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """This machine's mark in temporary names."""
    with atomic_path(tmp_path_factory.mktemp("elsewhere") / "x") as temporary:
        temporary.touch()
    return re.fullmatch(rf"\.x\.(.+)-{os.getpid()}\.partial", temporary.name)[1]


def test_the_next_writer_removes_what_killed_ones_left_and_nothing_else(tmp_path, machine, dead):
    remains = tmp_path / f".a.{machine}-{dead}.partial.txt"
    runs = tmp_path / f".a.{machine}-{os.getppid()}.partial.txt"
    others = [
        runs,
        tmp_path / f".b.{machine}-{dead}.partial.txt",
        tmp_path / f".a.{machine}-{dead}.partial.h5",
    ]
    for file in (remains, *others):
        file.touch()
    os.utime(runs, (0, 0))  # what counts is whether its process lives, not how old the file is
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.txt", *others])


def test_a_file_of_another_machine_stays_until_nobody_wrote_to_it_for_a_week(tmp_path, dead):
    recent, old = (tmp_path / f".a.0123abcd-{dead + i}.partial.txt" for i in (0, 1))
    day = 24 * 3600
    for file, days in ((recent, 6), (old, 8)):
        file.touch()
        os.utime(file, (time.time() - days * day,) * 2)
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert sorted(tmp_path.iterdir()) == [recent, tmp_path / "a.txt"]


def test_the_temporary_name_of_the_longest_image_id_is_not_too_long(tmp_path):
    with atomic_path(tmp_path / f"{'i' * LONGEST_ID}.png") as temporary:
        temporary.touch()
    assert len(temporary.name) + len("0000000") - len(str(os.getpid())) <= 255


def test_many_files_in_one_folder_look_for_remains_once(tmp_path, monkeypatch):
    looked, whole = [], Path.glob
    monkeypatch.setattr(Path, "glob", lambda *given: looked.append(given) or whole(*given))
    for i in range(5):
        with atomic_path(tmp_path / f"{i}.txt") as temporary:
            temporary.write_text("x")
    assert len(looked) == 1 and len(list(tmp_path.iterdir())) == 5
