"""A user's own pictures: a labels.csv or one folder per class, with splits or without."""

import csv
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from getam_core.data import Entry, Listing, class_names, list_folder
from getam_core.data.splits import split_by_name
from getam_core.errors import InputError
from tests.own_kit import OWN_SPLITS, append_label, class_folders, own_folder, picture, write_labels


def listed(root, classes=None, **options):
    return list_folder(root, OWN_SPLITS, classes, **options).checked(classes, workers=1)


def by_id(entries):
    return {entry.image_id: entry for entry in entries}


# --- labels.csv -------------------------------------------------------------------------------


def test_a_table_of_images_is_read_with_the_classes_it_has(tmp_path):
    entries = listed(own_folder(tmp_path))
    assert sorted(by_id(entries)) == [f"p{i}" for i in range(10)]
    assert by_id(entries)["p4"].classes == ("cat", "dog")
    assert by_id(entries)["p3"].image == tmp_path / "images" / "p3.jpg"
    assert class_names(None, entries) == ("cat", "dog")


def test_given_classes_set_the_order(tmp_path):
    entries = listed(own_folder(tmp_path), ("dog", "cat"))
    assert by_id(entries)["p4"].classes == ("dog", "cat")
    assert class_names(("dog", "cat"), entries) == ("dog", "cat")


def test_a_split_column_is_followed_and_test_rows_are_left_out(tmp_path):
    own_folder(tmp_path, 5)
    rows = ["p0,cat,val", "p1.jpg,dog,train", "p2.jpg,cat,train", "p3.jpg,,val", "p4.jpg,cat,test"]
    write_labels(tmp_path, *rows, header="image,classes,split")
    listing = list_folder(tmp_path, OWN_SPLITS)
    assert [(e.image_id, e.split) for e in listing.entries] == [
        ("p1", "train"),
        ("p2", "train"),
        ("p0", "val"),
        ("p3", "val"),
    ]
    assert by_id(listing.entries)["p3"].classes == ()
    assert listing.warnings == ["left out, images of split 'test': 1"]


def test_what_excel_and_people_write_is_understood(tmp_path):
    picture(tmp_path / "images" / "IMG 1.JPG")
    picture(tmp_path / "images" / "more" / "two.png")
    absolute = picture(tmp_path / "images" / "three.webp")
    lines = ["image,classes", "IMG 1,cat ; dog", "more\\two.png,dog", f"{absolute},cat", ",", ""]
    (tmp_path / "labels.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    entries = by_id(listed(tmp_path))
    assert sorted(entries) == ["IMG 1", "more_two", "three"]
    assert entries["IMG 1"].classes == ("cat", "dog")


def test_images_may_lie_beside_the_table(tmp_path):
    for i in range(3):
        picture(tmp_path / f"{i}.jpg", i)
    write_labels(tmp_path, "0.jpg,cat", "1.jpg,cat", "2.jpg,cat")
    assert len(listed(tmp_path)) == 3


def test_images_may_have_a_capital(tmp_path):
    own_folder(tmp_path)
    (tmp_path / "images").rename(tmp_path / "Images")
    assert len(listed(tmp_path)) == 10


def test_a_table_that_cannot_be_read_says_nothing_of_the_images(tmp_path):
    table = own_folder(tmp_path) / "labels.csv"
    table.write_text(table.read_text().replace("classes", "notes"))
    listing = list_folder(tmp_path, OWN_SPLITS)
    assert len(listing.problems) == 1 and not listing.warnings


@pytest.mark.parametrize(
    ("labels", "warning"),
    [
        (["dgo"], "class 'dgo' (1 image): did you mean 'dog' (12)?"),
        (["Cat"] * 12, "class 'Cat' (12 images): did you mean 'cat' (12)?"),
        (["dog.", "dog."], "class 'dog.' (2 images): did you mean 'dog' (12)?"),
        (["cat, dog"], "class 'cat, dog': separate several classes by ';', not by ','"),
        (["car"] * 3, None),
        (["bird"], None),
    ],
)
def test_found_classes_that_look_misspelt_are_a_warning(tmp_path, caplog, labels, warning):
    names = ["dog", "cat"] * 12 + labels
    entries = [Entry(f"i{k}", Path(f"{k}.jpg"), "train", (name,)) for k, name in enumerate(names)]
    entries.append(Entry("v", Path("v.jpg"), "val", ()))
    Listing(tmp_path, entries).checked(None)
    assert caplog.messages == ([f"{tmp_path}: {warning}"] if warning else [])
    caplog.clear()
    Listing(tmp_path, entries).checked(sorted(set(names)))
    assert not caplog.messages


def test_an_image_that_the_table_does_not_name_is_left_out_with_a_warning(tmp_path):
    for name in ("new.jpg", "day1/7.jpg", "day1/8.jpg"):
        picture(own_folder(tmp_path) / "images" / name)
    append_label(tmp_path, "day1/7,cat")
    listing = list_folder(tmp_path, OWN_SPLITS)
    assert len(listing.entries) == 11 and "day1_7" in by_id(listing.entries)
    assert listing.warnings == ["left out, images that labels.csv does not name: 2"]


# --- one folder per class ---------------------------------------------------------------------


@pytest.mark.parametrize("inner", ["", "images"])
def test_one_folder_per_class(tmp_path, inner):
    class_folders(tmp_path / inner)
    picture(tmp_path / "masks" / "cat0.png")
    entries = listed(tmp_path)
    assert sorted(by_id(entries)) == [f"{k}{i}" for k in ("cat", "dog") for i in range(5)]
    assert by_id(entries)["dog2"].classes == ("dog",)


def test_folders_of_splits_are_followed(tmp_path):
    class_folders(tmp_path / "train")
    picture(tmp_path / "val" / "cat" / "v.png", 99)
    entries = by_id(listed(tmp_path))
    assert entries["v"].split == "val" and entries["cat0"].split == "train" and len(entries) == 11


def test_equal_names_in_two_folders_are_two_images_or_one_of_both_classes(tmp_path):
    class_folders(tmp_path)
    picture(tmp_path / "cat" / "1.png", 50)
    picture(tmp_path / "dog" / "1.png", 51)
    shutil.copy(tmp_path / "cat" / "cat0.png", tmp_path / "dog" / "cat0.png")
    entries = by_id(listed(tmp_path))
    assert entries["cat_1"].classes == ("cat",) and entries["dog_1"].classes == ("dog",)
    assert entries["cat0"].classes == ("cat", "dog")


def test_what_lies_beside_the_splits_is_left_out_with_a_warning(tmp_path):
    for split in ("train", "val", "test"):
        class_folders(tmp_path / split, 1 + len(split))
    listing = list_folder(tmp_path, OWN_SPLITS)
    assert listing.warnings == ["left out, beside the splits: test"]


def test_only_files_of_one_name_and_size_are_compared(tmp_path, monkeypatch):
    read, whole = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or whole(path))
    for k, folder in enumerate(("cat", "dog", "cow")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(b"x" * (1 + k))
        (tmp_path / folder / "2.png").write_bytes(b"y" * (1 + k // 2))
    assert len(list_folder(tmp_path, OWN_SPLITS).entries) == 5
    assert read == ["2.png", "2.png"]


def test_a_background_folder_shows_none_of_the_classes(tmp_path):
    picture(class_folders(tmp_path) / "background" / "sky.png", 77)
    entries = listed(tmp_path)
    assert by_id(entries)["sky"].classes == ()
    assert class_names(None, entries) == ("cat", "dog")


def test_other_files_are_left_out_with_a_warning(tmp_path):
    (class_folders(tmp_path) / "cat" / "phone.heic").write_bytes(b"x")
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"x")
    picture(tmp_path / "beside.jpg")
    assert list_folder(tmp_path, OWN_SPLITS).warnings == [
        "left out, files in cat/ that are not images: 1 (phone.heic)",
        "left out, images beside the class folders: 1",
    ]


def test_a_folder_in_neither_form_says_what_is_expected(tmp_path):
    picture(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"images/ with labels\.csv .*or one folder of images for"):
        list_folder(tmp_path, OWN_SPLITS)
    with pytest.raises(InputError, match="no such folder"):
        list_folder(tmp_path / "absent", OWN_SPLITS)


def test_a_table_of_another_name_or_one_folder_down_is_told(tmp_path):
    own_folder(tmp_path / "pets")
    with pytest.raises(InputError, match=rf"labels\.csv is one folder down: give {tmp_path}/pets"):
        list_folder(tmp_path, OWN_SPLITS)
    (tmp_path / "pets/labels.csv").rename(tmp_path / "pets/classes.csv")
    with pytest.raises(InputError, match=r"for each class; it has classes\.csv, images/"):
        list_folder(tmp_path / "pets", OWN_SPLITS)


# --- the split of data without one ------------------------------------------------------------


def entry(i, *classes):
    return Entry(f"image{i}", f"{i}.jpg", "train", classes)


@given(
    st.lists(st.sets(st.sampled_from("abc"), max_size=2), min_size=2, max_size=40),
    st.floats(0.05, 0.6),
    st.randoms(),
)
def test_a_split_is_one_of_names_alone_and_leaves_every_class_in_training(labels, share, random):
    entries = [entry(i, *sorted(names)) for i, names in enumerate(labels)]
    once = {e.image_id: e.split for e in split_by_name(entries, share)}
    shuffled = random.sample(entries, len(entries))
    assert {e.image_id: e.split for e in split_by_name(shuffled, share)} == once
    trained = {n for e in entries if once[e.image_id] == "train" for n in e.classes}
    assert trained == {name for names in labels for name in names}
    assert sum(s == "val" for s in once.values()) <= max(1, round(share * len(entries)))


def test_a_fifth_goes_to_val_unless_the_settings_say_otherwise(tmp_path):
    entries = listed(own_folder(tmp_path, 30))
    assert [e.split for e in entries].count("val") == 6
    entries = listed(tmp_path, val_share=0.5)
    assert [e.split for e in entries].count("val") == 15


def test_a_table_without_splits_is_not_written_to(tmp_path):
    own_folder(tmp_path)
    before = (tmp_path / "labels.csv").read_bytes()
    listed(tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == before
    assert next(csv.reader([before.decode().splitlines()[0]])) == ["image", "classes"]
