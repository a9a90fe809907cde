"""Shared and full disks: no locks, no permission, a server gone. None of these is damage."""

import errno
import fcntl
import logging
import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from PIL import Image

from getam_core.file_access import FileAccessError
from getam_core.stores import StoreWriter, open_store, verify, write_in_parts
from getam_core.stores.__main__ import main
from getam_core.stores.hdf5 import create_hdf5

LABELS = np.arange(12, dtype=np.uint8).reshape(3, 4) % 4


def write(path):
    with StoreWriter(path, "labels", ("circle",), {"alpha": 0.9}) as writer:
        writer.write("a", LABELS)
        writer.write("b", LABELS)


@pytest.fixture
def labels(tmp_path):
    write(tmp_path / "labels.h5")
    return tmp_path / "labels.h5"


def said(code, doing="file read failed"):
    """h5py 3.16's message for an error of the operating system, recorded with a fault injector."""
    detail = f"{doing}: filename = 'x.h5', errno = {code}, error message = '{os.strerror(code)}'"
    return f"Unable to synchronously open file ({detail}, offset = 48)"


def raised_at_open(code, doing="unable to open file"):
    return OSError(code, said(code, doing))


def raised_within(code):
    return KeyError(said(code))  # without `errno`


CODES = [
    errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOTCONN, errno.ENOSPC, errno.ENOLCK
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_a_file_that_cannot_be_opened_is_not_called_damaged(labels, monkeypatch, capsys, code):
    def refuse(*_, **__):
        raise raised_at_open(code)

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(FileAccessError, match="could not be read") as raised:
        open_store(labels)
    assert os.strerror(code) in str(raised.value) and "delete" not in str(raised.value)
    assert main(["verify", str(labels)]) == 2
    assert "could not be read" in capsys.readouterr().err


def refuse_image(monkeypatch, image_id, code):
    """Let the disk fail where one image begins."""
    get = h5py.Group.__getitem__

    def get_or_refuse(group, name):
        if name == image_id:
            raise raised_within(code)
        return get(group, name)

    monkeypatch.setattr(h5py.Group, "__getitem__", get_or_refuse)


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_an_image_that_cannot_be_read_is_not_called_damaged(labels, monkeypatch, code):
    refuse_image(monkeypatch, "b", code)
    store = open_store(labels)
    np.testing.assert_array_equal(store["a"], LABELS)
    with pytest.raises(FileAccessError, match=r"image 'b' could not be read") as raised:
        store["b"]
    assert "damaged" not in str(raised.value) and "delete" not in str(raised.value)
    with pytest.raises(FileAccessError):
        verify(labels)


def test_codes_that_damaged_bytes_raise_too_are_damage(labels, monkeypatch):
    refuse_image(monkeypatch, "b", errno.EINVAL)
    assert re.search("image 'b' is damaged", "".join(verify(labels)))


def test_a_part_that_cannot_be_read_is_not_made_again(tmp_path, monkeypatch):
    made = []

    def make(writer, chosen):
        made.append(chosen)
        for image_id in ["a", "b"][chosen]:
            if made == [slice(0, 1), slice(1, 2)]:
                raise KeyboardInterrupt
            writer.write(image_id, LABELS)

    arguments = (tmp_path / "out.h5", "labels", ("circle",), {}, ["a", "b"], make)
    with pytest.raises(KeyboardInterrupt):
        write_in_parts(*arguments, state=tmp_path / "state", part=1)
    with monkeypatch.context() as patched:
        refuse_image(patched, "a", errno.ESTALE)
        with pytest.raises(FileAccessError, match=r"00000000\.h5: image 'a' could not be read"):
            write_in_parts(*arguments, state=tmp_path / "state", part=1)
    assert len(made) == 2
    write_in_parts(*arguments, state=tmp_path / "state", part=1)
    assert len(made) == 3 and open_store(tmp_path / "out.h5").ids() == ["a", "b"]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, 524])
def test_where_a_disk_has_no_locks_the_same_file_is_written_with_a_warning(
    labels, tmp_path, monkeypatch, caplog, code
):
    class WithoutLocks(h5py.File):
        def __init__(self, *arguments, locking=None, **options):
            if locking is not False:
                raise raised_at_open(code, "unable to lock file")
            super().__init__(*arguments, locking=locking, **options)

    monkeypatch.setattr(h5py, "File", WithoutLocks)
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "again" / "labels.h5")
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'again'}: the disk does not support locks; HDF5 files are written without"
    ]
    assert (tmp_path / "again" / "labels.h5").read_bytes() == labels.read_bytes()
    assert verify(labels) == []


def test_a_file_that_another_process_locks_is_not_written(tmp_path):
    path = tmp_path / "held.h5"
    with path.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            create_hdf5(path)


def test_a_file_open_for_writing_elsewhere_is_named_as_such(labels):
    with h5py.File(labels, "r+"):
        code = f"from getam_core.stores.__main__ import main; main(['verify', {str(labels)!r}])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another program has it open for writing" in done.stderr
    assert "delete" not in done.stderr
    assert verify(labels) == []


def test_a_missing_folder_may_be_a_disk_that_is_not_mounted(tmp_path):
    with pytest.raises(FileAccessError, match="nor its folder; is the disk mounted"):
        open_store(tmp_path / "mnt" / "labels.h5")
    with pytest.raises(FileAccessError, match=r"no such file$"):
        open_store(tmp_path / "labels.h5")
    with pytest.raises(FileAccessError, match="Is a directory"):
        open_store(tmp_path)


FULL_DISK = """
import resource, sys
import numpy as np
from getam_core.stores.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(["import", *sys.argv[2:]]))
"""


@pytest.mark.parametrize("limit", [1000, 100_000])
def test_of_a_full_disk_one_line_is_said_and_nothing_is_left(tmp_path, limit, repository):
    rng = np.random.default_rng(0)
    for i in range(40):
        (tmp_path / "png").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 20, (64, 64), np.uint8)).save(tmp_path / f"png/{i}.png")
    out = tmp_path / "out" / "labels.h5"
    command = [sys.executable, "-c", FULL_DISK, str(limit), str(tmp_path / "png"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repository)
    lines = [line for line in done.stderr.splitlines() if line and "image/s" not in line]
    assert done.returncode == 2 and len(lines) == 1, done.stderr
    assert "labels.h5: could not be written (File too large); raise the limit" in lines[0]
    assert list(out.parent.iterdir()) == []
