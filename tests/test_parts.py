"""Stores made in parts and merged: the same result after a kill anywhere, and no gaps."""

import multiprocessing
import os
import resource
import signal
import time
from argparse import Namespace

import h5py
import numpy as np
import pytest

from getam_core.data import Entry, write_index
from getam_core.errors import InputError
from getam_core.file_access import FileAccessError
from getam_core.stores import StoreWriter, merge_stores, open_store, verify, write_in_parts
from workflow_scripts import export_maps, make_saliency

CLASSES = ("circle", "square")
IDS = [f"image_{i:03d}" for i in range(23)]
SETTINGS = {"maps": {"size": 96}, "checkpoint": "abc"}


def content(image_id):
    rng = np.random.default_rng(int(image_id[-3:]))
    return rng.integers(0, 3, (20, 30), np.uint8), {"scores": rng.random(4).astype(np.float32)}


def write(writer, chosen):
    for image_id in IDS[chosen]:
        array, attributes = content(image_id)
        writer.write(image_id, array, **attributes)


def make(folder, write=write, settings=SETTINGS):
    options = {"state": folder / "state", "part": 5}
    write_in_parts(folder / "out.h5", "predictions", CLASSES, settings, IDS, write, **options)
    return (folder / "out.h5").read_bytes()


def test_parts_of_other_images_are_made_again(tmp_path):
    with StoreWriter(tmp_path / "state/00000000.h5", "predictions", CLASSES, SETTINGS) as writer:
        for image_id in IDS[5:10]:
            writer.write(image_id, np.zeros((2, 2), np.uint8))
    assert make(tmp_path) == make(tmp_path / "undisturbed")


def killed_half_way(folder):
    def die_at_image_12(writer, chosen):
        for image_id in IDS[chosen]:
            if image_id == IDS[12]:
                os.kill(os.getpid(), signal.SIGKILL)
            array, attributes = content(image_id)
            writer.write(image_id, array, **attributes)

    make(folder, die_at_image_12)


def in_a_process(target, *arguments):
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def test_killed_and_started_again_the_file_is_the_same_to_the_bit(tmp_path):
    undisturbed = make(tmp_path / "undisturbed")
    assert in_a_process(killed_half_way, tmp_path) == -signal.SIGKILL
    assert not (tmp_path / "out.h5").exists()
    written = []

    def counting(writer, chosen):
        written.extend(IDS[chosen])
        write(writer, chosen)

    time.sleep(1.1)  # so that a time stamp in the file would show
    assert make(tmp_path, counting) == undisturbed
    assert written == IDS[10:], "the two whole parts stand"
    assert {path.name for path in tmp_path.iterdir()} == {"undisturbed", "out.h5"}
    assert not (tmp_path / "state").exists()


def test_a_second_copy_is_refused_and_leaves_the_parts_of_the_first(tmp_path):
    def write_while_another_one_starts(writer, chosen):
        write(writer, chosen)
        if chosen.start == 10:
            end = in_a_process(refused, tmp_path)
            assert end == 0

    whole = make(tmp_path / "whole")
    assert make(tmp_path, write_while_another_one_starts) == whole
    assert not (tmp_path / "state").exists()


def refused(folder):
    with pytest.raises(InputError, match="running already"):
        make(folder)


def test_parts_that_are_damaged_or_of_other_settings_are_made_again(tmp_path):
    assert in_a_process(killed_half_way, tmp_path) == -signal.SIGKILL
    parts = sorted((tmp_path / "state").glob("0*.h5"))
    parts[0].write_bytes(parts[0].read_bytes()[:-50])
    other = {**SETTINGS, "checkpoint": "another network"}
    with StoreWriter(parts[1], "predictions", CLASSES, other) as writer:
        write(writer, slice(5, 10))
    assert make(tmp_path) == make(tmp_path / "undisturbed")
    assert open_store(tmp_path / "out.h5").settings == SETTINGS


@pytest.fixture
def shards(tmp_path):
    paths = [tmp_path / f"{i}.h5" for i in range(3)]
    for path, start in zip(paths, (0, 10, 20), strict=True):
        with StoreWriter(path, "predictions", CLASSES, SETTINGS) as writer:
            write(writer, slice(start, start + 10))
    return paths


def test_merged_shards_hold_what_one_file_would(shards, tmp_path):
    merge_stores(tmp_path / "merged.h5", shards, IDS)
    store = open_store(tmp_path / "merged.h5", "predictions")
    assert (store.ids(), store.classes, store.settings) == (IDS, CLASSES, SETTINGS)
    for image_id in IDS:
        array, attributes = content(image_id)
        np.testing.assert_array_equal(store[image_id], array)
        np.testing.assert_array_equal(store.attributes(image_id)["scores"], attributes["scores"])
    assert verify(tmp_path / "merged.h5") == []


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        (lambda shards: shards[:2], r"only 20 of 23 images; the next would be 'image_020'"),
        (lambda shards: shards[::2], r"2\.h5: not the expected images"),
        (lambda shards: shards[::-1], r"2\.h5: not the expected images"),
        (lambda shards: [*shards, shards[0]], r"0\.h5: not the expected images"),
        (lambda shards: [*shards[:2], shards[0].with_name("9.h5")], r"9\.h5: no such file"),
    ],
)
def test_a_gap_an_overlap_and_another_order_are_refused(shards, tmp_path, choose, message):
    with pytest.raises(InputError, match=message):
        merge_stores(tmp_path / "merged.h5", choose(shards), IDS)
    assert not (tmp_path / "merged.h5").exists()


def test_shards_of_different_networks_are_refused(shards, tmp_path):
    with StoreWriter(shards[1], "predictions", CLASSES, {"checkpoint": "other"}) as writer:
        write(writer, slice(10, 20))
    with pytest.raises(InputError, match=r"1\.h5: not the same settings as .*0\.h5"):
        merge_stores(tmp_path / "merged.h5", shards, IDS)


def test_a_damaged_image_is_named_when_shards_are_merged(shards, tmp_path):
    with h5py.File(shards[1], "r+") as file:
        file["images/image_013"][0, 0] ^= 1
    with pytest.raises(InputError, match=r"1\.h5: image 'image_013' is damaged"):
        merge_stores(tmp_path / "merged.h5", shards, IDS)


def fill_the_disk(path, images):
    """Write until files may not grow any more, as on a full disk; exit with 7 if it is noticed."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    rng = np.random.default_rng(0)
    try:
        with StoreWriter(path, "labels", CLASSES, {}) as writer:
            for i in range(images):
                writer.write(f"{i}", rng.integers(0, 255, (64, 64), np.uint8))
    except FileAccessError:
        os._exit(7)
    os._exit(0)


@pytest.mark.parametrize("images", [8, 14, 40])
def test_a_full_disk_leaves_no_file_under_the_final_name(tmp_path, images):
    code = in_a_process(fill_the_disk, tmp_path / "labels.h5", images)
    if images == 8:
        assert code == 0 and verify(tmp_path / "labels.h5") == []
    else:
        assert code == 7 and list(tmp_path.iterdir()) == []


def header_of(stage, folder, patch):
    """Return the header that a stage gives its parts; networks are not loaded."""
    headers = []
    for name in ("load_network", "read_supervision", "load_saliency", "build_saliency_network"):
        patch.setattr(stage, name, lambda *_, **__: "classes", raising=False)
    patch.setattr(stage, "write_in_parts", lambda *given, **_: headers.append(given[3]))
    files = {name: folder / name for name in ("checkpoint", "network", "index", "out", "state")}
    asked = {"settings": "{}", "method": "getam", "split": "train", "shard": 0, "shard_size": 1}
    stage.main(Namespace(**files, **asked, device="cpu", threads=1))
    return headers[0]


@pytest.mark.parametrize(
    ("stage", "network"), [(export_maps, "checkpoint"), (make_saliency, "network")]
)
def test_parts_belong_to_the_contents_of_the_network_s_file(stage, network, tmp_path, monkeypatch):
    write_index(tmp_path / "index", [Entry("a", tmp_path / "a.png", "train", ("dog",))])
    headers = []
    for content in (b"1", b"2", b"1"):
        (tmp_path / network).write_bytes(content)
        headers.append(header_of(stage, tmp_path, monkeypatch))
    one, other, again = headers
    assert one == again
    assert {key for key in one if one[key] != other[key]} == {network}
