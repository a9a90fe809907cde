"""Pictures to segment: which ones are found, and which are refused."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from getam_core.data.images import read_image
from getam_core.errors import InputError
from getam_core.segment.pictures import as_pixels, find_pictures


def test_folders_patterns_and_files_name_each_picture_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "a/1.jpg",
        "a/b/1.JPG",
        "a/b/2.jpg",
        "a/b/2.png",
        "a/.x/3.jpg",
        "c/1.jpg",
        "a/n.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    results = tmp_path / "a" / "out"
    (results / "masks").mkdir(parents=True)
    (results / "masks" / "1.png").touch()

    def names(*arguments):
        return [p.name for p in find_pictures(arguments, results)]

    assert names("a") == ["1", "b/1", "b/2.jpg", "b/2.png"]  # suffixes where names would clash
    assert names("a/1.jpg", "c/1.jpg") == ["a/1", "c/1"]
    assert names("a/1.jpg", "a/1.jpg", "./a/../a/1.jpg") == ["1"]
    assert names("a", str(tmp_path / "c")) == ["a/1", "a/b/1", "a/b/2.jpg", "a/b/2.png", "c/1"]
    assert names("a/**/*.jpg") == ["1", "b/2"]
    assert names(f"{tmp_path}/?/1.jpg") == ["a/1", "c/1"]


def test_results_are_no_pictures_however_they_are_spelled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.png", "a/out/masks/1.png", "a/out/overlays/b/1.jpg", "a/out/segment.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("a")
    for out in ("a/out", "a/../a/out", "link/out"):
        for argument in ("a", "a/**", "link", "a/out/../../link/**/*.*g", f"{tmp_path}/a"):
            found = find_pictures([argument], Path(out))
            assert [p.name for p in found] == ["1"], (argument, out)
    with pytest.raises(InputError, match="a result in the folder of -o"):
        find_pictures(["link/out/masks/1.png"], Path("a/out"))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (Image.new("I;16", (8, 8)), "more than 8 bits"),
        (Image.new("F", (8, 8)), "more than 8 bits"),
        (Image.new("CMYK", (8, 8)), "CMYK"),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 254)), "transparent"),
    ],
)
def test_pil_images_are_refused_as_files_are(form, message):
    with pytest.raises(InputError, match=message):
        as_pixels(form)


def test_a_file_of_more_pixels_than_opencv_reads_is_named(tmp_path):
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")):
        body = kind + data
        chunks += struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    with pytest.raises(InputError, match=r"huge.png: OpenCV cannot decode it .*2\^30 pixels"):
        read_image(tmp_path / "huge.png")
