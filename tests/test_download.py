"""Downloaded archives: loaded once, resumed, checked, unpacked; without a network, one line."""

import errno
import fcntl
import hashlib
import io
import os
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from getam_core.downloads import download, unpack
from getam_core.downloads import loading as module
from getam_core.downloads.archives import ARCHIVES, DATA_SETS, Archive
from getam_core.errors import InputError

BODY = bytes(range(256)) * 40


@pytest.fixture
def server():
    """A server of BODY; `asked` lists the requested ranges, `ranges` says whether it obeys them."""
    state = SimpleNamespace(asked=[], ranges=True, cut=None, body=BODY)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.asked.append(self.headers.get("Range"))
            if self.path != "/file.tar":
                self.send_error(404)
                return
            start = 0
            if state.asked[-1] and state.ranges:
                start = int(re.fullmatch(r"bytes=(\d+)-", state.asked[-1])[1])
                if start >= len(state.body):
                    self.send_error(416)
                    return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(state.body) - start))
            self.end_headers()
            self.wfile.write(state.body[start : state.cut])

        def log_message(self, *_):
            pass

    served = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{served.server_port}/file.tar"
    yield state
    served.shutdown()
    served.server_close()


def archive(server, **changes):
    known = {"size": len(BODY), "digest": ("sha256", hashlib.sha256(BODY).hexdigest())}
    return Archive("file.tar", server.url, **(known | changes))


def test_a_file_is_loaded_under_its_name_only_when_it_is_whole(server, tmp_path):
    out = tmp_path / "archives" / "file.tar"
    download(archive(server), out)
    assert out.read_bytes() == BODY and list(out.parent.iterdir()) == [out]
    assert server.asked == [None]


@pytest.mark.parametrize("known", [{}, {"size": None, "digest": None}])
def test_a_broken_connection_is_resumed_where_it_ended(server, tmp_path, known):
    out, server.cut = tmp_path / "file.tar", 3000
    with pytest.raises(InputError, match=r"the connection ended after 3000 of 10240 bytes"):
        download(archive(server, **known), out)
    assert not out.exists() and (tmp_path / "file.tar.part").stat().st_size == 3000
    server.cut = None
    download(archive(server, **known), out)
    assert out.read_bytes() == BODY
    assert server.asked == [None, "bytes=3000-"]


def test_a_server_that_cannot_resume_starts_again(server, tmp_path):
    (tmp_path / "file.tar.part").write_bytes(BODY[:100])
    server.ranges = False
    download(archive(server), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == BODY


@pytest.mark.parametrize("size", [len(BODY), None])
def test_a_part_that_is_whole_already_is_taken(server, tmp_path, size):
    (tmp_path / "file.tar.part").write_bytes(BODY)
    download(archive(server, size=size), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == BODY
    assert server.asked == ([] if size else [f"bytes={len(BODY)}-"])


def test_two_processes_do_not_load_into_one_file(server, tmp_path):
    part = tmp_path / "file.tar.part"
    part.write_bytes(BODY[:100])
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match=r"file\.tar\.part: another process is downloading it"):
            download(archive(server), tmp_path / "file.tar")
    assert part.read_bytes() == BODY[:100] and server.asked == []


def test_a_disk_without_locks_is_loaded_to_all_the_same(server, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    download(archive(server), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == BODY


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"size": 5}, r"10240 bytes, expected 5: not the published file"),
        ({"digest": ("md5", "0" * 32)}, r"md5 [0-9a-f]{32}, expected 0{32}: not the published"),
    ],
)
def test_another_file_than_the_published_one_is_deleted(server, tmp_path, known, message):
    with pytest.raises(InputError, match=message):
        download(archive(server, **known), tmp_path / "file.tar")
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_it_says_how_to_give_the_file_by_hand(server, tmp_path):
    url = "http://127.0.0.1:9/file.tar"  # the discard port, where nothing listens
    with pytest.raises(InputError, match=r"could not be downloaded .*a network.*save it as"):
        download(Archive("file.tar", url), tmp_path / "file.tar")
    with pytest.raises(InputError, match=r"could not be downloaded \(HTTP 404\)"):
        download(Archive("file.tar", server.url + "x"), tmp_path / "file.tar")


# --- unpacking --------------------------------------------------------------------------------


def packed(path, names):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, name.encode())
        return path
    with tarfile.open(path, "w") as file:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name.encode())
            file.addfile(member, io.BytesIO(name.encode()))
    return path


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_an_archive_is_unpacked_counted_and_not_written_twice(tmp_path, name):
    path = packed(tmp_path / name, ["set/images/1.jpg", "set/images/2.jpg"])
    known = Archive(name, "", into="inner", holds={"inner/set/images": 2})
    unpack(known, path, tmp_path)
    first, second = (tmp_path / "inner/set/images" / f"{i}.jpg" for i in (1, 2))
    assert first.read_text() == "set/images/1.jpg"
    stamp = first.stat().st_mtime_ns
    second.unlink()
    unpack(known, path, tmp_path)
    assert second.exists() and first.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
@pytest.mark.parametrize("member", ["../out.txt", "/out.txt", "x/../../out.txt"])
def test_a_path_that_leads_out_of_the_archive_is_refused(tmp_path, name, member):
    folder = tmp_path / "data"
    with pytest.raises(InputError, match="leads outside the folder"):
        unpack(Archive(name, ""), packed(tmp_path / name, ["a.txt", member]), folder)
    assert not (tmp_path / "out.txt").exists() and list(folder.iterdir()) == []


def test_missing_files_damage_and_a_full_disk_are_named(tmp_path, monkeypatch):
    path = packed(tmp_path / "a.zip", ["set/1.jpg"])
    with pytest.raises(InputError, match=r"set: 1 files, expected 2"):
        unpack(Archive("a.zip", "", holds={"set": 2}), path, tmp_path)
    with pytest.raises(InputError, match="not the published file"):
        unpack(Archive("a.zip", "", size=1), path, tmp_path)
    full = SimpleNamespace(free=3)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: full)
    with pytest.raises(InputError, match=r"GB are needed"):
        unpack(Archive("a.zip", ""), path, tmp_path / "elsewhere")
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(InputError, match="damaged"):
        unpack(Archive("a.zip", ""), path, tmp_path)


def test_damage_inside_a_compressed_file_is_named(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("1.txt", bytes(range(256)) * 20)
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + b"\xff" * 60 + whole[100:])
    with pytest.raises(InputError, match=r"a\.zip: damaged .*; delete it and download it again"):
        unpack(Archive("a.zip", ""), path, tmp_path)


def test_every_published_archive_is_described_as_far_as_is_known():
    assert set(DATA_SETS) == {"voc", "sbd", "coco", "duts"}
    lengths = {"md5": 32, "sha256": 64}
    for known in ARCHIVES.values():
        assert known.url.endswith(f"/{known.name}") and known.holds
        if known.digest:
            algorithm, digest = known.digest
            assert re.fullmatch(f"[0-9a-f]{{{lengths[algorithm]}}}", digest)
