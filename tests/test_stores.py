import hashlib
import multiprocessing
import re
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from getam_core.errors import InputError
from getam_core.stores import StoreWriter, open_store, read_maps, verify, write_maps

CLASSES = ("circle", "square", "star")
LABELS = np.arange(12, dtype=np.uint8).reshape(3, 4) % 4


@pytest.fixture
def labels(tmp_path):
    with StoreWriter(tmp_path / "labels.h5", "labels", CLASSES, {"alpha": 0.9}) as writer:
        writer.write("a", LABELS, weight=np.float32(0.5), ids=np.array([1, 2]))
        writer.write("b", 255 - LABELS)
    return tmp_path / "labels.h5"


def damage(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def test_a_store_returns_what_was_written(labels):
    store = open_store(labels, "labels")
    assert (store.kind, store.classes, store.settings) == ("labels", CLASSES, {"alpha": 0.9})
    assert store.ids() == list(store) == ["a", "b"] and len(store) == 2
    assert "a" in store and "c" not in store
    np.testing.assert_array_equal(store["a"], LABELS)
    assert store["a"].dtype == np.uint8
    attributes = store.attributes("a")
    assert sorted(attributes) == ["ids", "weight"] and attributes["weight"] == 0.5
    np.testing.assert_array_equal(attributes["ids"], [1, 2])
    assert verify(labels) == []


def test_five_lines_of_h5py_read_a_store(labels):
    with h5py.File(labels) as file:
        assert file.attrs["complete"] and file.attrs["count"] == 2
        np.testing.assert_array_equal(file["images/a"][:], LABELS)


def test_an_exception_leaves_the_old_file_and_no_rest(labels):
    with (
        pytest.raises(KeyboardInterrupt),
        StoreWriter(labels, "labels", CLASSES, {}) as writer,
    ):
        writer.write("new", LABELS)
        raise KeyboardInterrupt
    assert open_store(labels).ids() == ["a", "b"]
    assert list(labels.parent.iterdir()) == [labels]


def test_what_an_exception_leaves_is_never_sealed(labels):
    """It may stay under its temporary name if it cannot be removed."""
    kept = labels.with_name("kept.h5")
    with (
        pytest.raises(KeyboardInterrupt),
        StoreWriter(labels, "labels", CLASSES, {}) as writer,
    ):
        writer.write("new", LABELS)
        (temporary,) = set(labels.parent.iterdir()) - {labels}
        kept.hardlink_to(temporary)
        raise KeyboardInterrupt
    with pytest.raises(InputError):
        open_store(kept)


def test_nothing_stands_at_the_path_until_the_end(tmp_path):
    with StoreWriter(tmp_path / "s.h5", "saliency", CLASSES, {}) as writer:
        writer.write("a", LABELS)
        assert not (tmp_path / "s.h5").exists()
    assert len(open_store(tmp_path / "s.h5", "saliency")) == 1


@pytest.mark.parametrize("image_id", ["a", "x/y"])
def test_an_id_twice_or_with_a_slash_is_refused(tmp_path, image_id):
    with (
        pytest.raises(InputError, match=image_id),
        StoreWriter(tmp_path / "l.h5", "labels", CLASSES, {}) as writer,
    ):
        writer.write("a", LABELS)
        writer.write(image_id, LABELS)


def change_pixel(file):
    file["images/a"][0, 0] = 77


def change_attribute(file):
    file["images/a"].attrs["weight"] = np.float32(0.25)


def drop_checksum(file):
    del file["images/a"].attrs["crc32"]


@pytest.mark.parametrize("change", [change_pixel, change_attribute, drop_checksum])
def test_a_changed_image_is_named_when_read_and_by_verify(labels, change):
    damage(labels, change)
    store = open_store(labels)
    with pytest.raises(InputError, match=r"labels\.h5: image 'a' is damaged"):
        store["a"]
    np.testing.assert_array_equal(store["b"], 255 - LABELS)
    store.close()
    assert len(verify(labels)) == 1 and "'a'" in verify(labels)[0]


def read_all(path):
    store = open_store(path)
    arrays = {image_id: store[image_id].tolist() for image_id in store}
    store.close()
    return store.classes, store.settings, arrays


def test_a_flipped_byte_anywhere_never_gives_other_data(labels):
    written, data = read_all(labels), labels.read_bytes()
    found = 0
    for position in range(0, len(data), 11):
        labels.write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        try:
            assert read_all(labels) == written, position  # in bytes that hold nothing
        except InputError:
            found += 1
    assert found > len(data) / 11 / 4


def remove_seal(file):
    del file.attrs["complete"]


def other_schema(file):
    file.attrs["schema"] = 99


def foreign(file):
    del file.attrs["schema"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_seal, "never completed"),
        (other_schema, "schema 99, this version reads 1"),
        (foreign, "not one of this project's stores"),
    ],
)
def test_a_file_that_is_not_a_complete_store_is_refused(labels, change, message):
    damage(labels, change)
    with pytest.raises(InputError, match=message):
        open_store(labels)


def test_truncated_missing_and_foreign_files_are_refused_by_name(labels):
    data = labels.read_bytes()
    labels.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"labels\.h5: truncated"):
        open_store(labels)
    labels.write_text("not HDF5")
    with pytest.raises(InputError, match=r"labels\.h5: not a readable HDF5 file"):
        open_store(labels)
    with pytest.raises(InputError, match=r"absent\.h5: no such file"):
        open_store(labels.with_name("absent.h5"))
    assert len(verify(labels)) == 1


def test_another_kind_and_an_absent_image_are_named(labels):
    with pytest.raises(InputError, match="holds labels, expected maps"):
        open_store(labels, "maps")
    with pytest.raises(InputError, match="holds no image 'z'"):
        open_store(labels)["z"]


def test_a_removed_image_is_found_by_verify(labels):
    damage(labels, lambda file: file["images"].pop("a"))
    assert verify(labels) == [f"{labels}: holds 1 images, 2 were written"]


def total(store):
    return int(sum(int(store[image_id].sum()) for image_id in store))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_an_open_store_can_be_read_in_worker_processes(labels, start):
    store = open_store(labels)
    expected = total(store)  # the parent's handle is open when the workers start
    with multiprocessing.get_context(start).Pool(2) as pool:
        assert pool.map(total, [store] * 4) == [expected] * 4
    assert total(store) == expected


def test_maps_come_back_normalised_with_their_maximum(tmp_path):
    rng = np.random.default_rng(0)
    maps = rng.random((3, 5, 7)).astype(np.float32) * np.array([1e-9, 0, 1e6])[:, None, None]
    scores = np.array([2.5, -1, 3], np.float32)
    with StoreWriter(tmp_path / "maps.h5", "maps", CLASSES, {}) as writer:
        write_maps(writer, "a", maps, [1, 2, 3], scores, size=(50, 70))
        write_maps(writer, "none", np.zeros((0, 5, 7)), [], size=(50, 70))
    store = open_store(tmp_path / "maps.h5", "maps")
    read = read_maps(store, "a")
    np.testing.assert_allclose(read.maps[[0, 2]].max(axis=(1, 2)), 1)
    np.testing.assert_array_equal(read.maps[1], 0)
    np.testing.assert_allclose(read.maps * read.maximum[:, None, None], maps, rtol=1e-3)
    assert read.class_ids.tolist() == [1, 2, 3] and read.size == (50, 70)
    np.testing.assert_array_equal(read.scores, scores)
    none = read_maps(store, "none")
    assert none.maps.shape == (0, 5, 7) and none.scores is None and none.class_ids.size == 0
    assert verify(tmp_path / "maps.h5") == []


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_maps_of_a_diverged_network_are_refused(tmp_path, wrong):
    with (
        pytest.raises(InputError, match="finite"),
        StoreWriter(tmp_path / "maps.h5", "maps", CLASSES, {}) as writer,
    ):
        write_maps(writer, "a", np.full((1, 2, 2), wrong), [1], size=(4, 4))


def test_the_snippets_of_the_documentation_read_a_run(tmp_path, monkeypatch):
    text = Path(__file__).parents[1].joinpath("docs", "formats.md").read_text(encoding="utf-8")
    maps = np.array([[[8.0, 2], [4, 0]]])
    run = tmp_path / "results" / "demo"
    with StoreWriter(run / "pseudo_labels" / "labels.h5", "labels", CLASSES, {}) as writer:
        writer.write("a", LABELS)
    with StoreWriter(run / "getam" / "maps.h5", "maps", CLASSES, {}) as writer:
        write_maps(writer, "a", maps, [3], size=(32, 64))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for snippet in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(snippet, names)
    assert names["classes"] == list(CLASSES)
    np.testing.assert_array_equal(names["label_maps"]["a"], LABELS)
    np.testing.assert_array_equal(names["maps"], maps)
    assert (names["class_ids"].tolist(), names["height"], names["width"]) == ([3], 32, 64)


def test_the_checksum_is_the_one_that_is_documented(labels):
    with h5py.File(labels) as file:
        data = file["images/a"]
        parts = [("", data[:]), ("ids", data.attrs["ids"]), ("weight", data.attrs["weight"])]
        described = b"".join(
            f"{name} {value.dtype.str} {value.shape} ".encode() + value.tobytes()
            for name, value in parts
        )
        assert zlib.crc32(described) == data.attrs["crc32"]


def test_the_contents_are_those_of_the_images_and_of_nothing_else(labels):
    with h5py.File(labels) as file:
        crcs = {name: data.attrs["crc32"] for name, data in file["images"].items()}
    lines = f"a {crcs['a']}\nb {crcs['b']}\n"
    assert open_store(labels).contents == hashlib.sha256(lines.encode()).hexdigest()


def test_a_store_of_an_earlier_version_has_the_contents_of_its_file(labels):
    damage(labels, lambda file: file.attrs.pop("contents"))
    assert open_store(labels).contents == hashlib.sha256(labels.read_bytes()).hexdigest()
