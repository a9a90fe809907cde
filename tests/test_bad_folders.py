"""Everything that can be wrong with class folders, and the line that says so."""

import os
from pathlib import Path

import pytest

from getam_core.data import (
    Entry,
    Listing,
    list_folder,
)
from getam_core.errors import InputError
from tests.own_kit import (
    ODD_NAMES,
    OWN_SPLITS,
    class_folders,
    picture,
    report,
)

FOLDERS = {
    "class folder without an image": (
        lambda r: ((r / "bird").mkdir(), (r / "bird" / "x.heic").write_bytes(b"x")),
        "bird/: contains no images (.jpg",
    ),
    "semicolon in a class": (lambda r: picture(r / "a;b" / "x.png"), "not usable as a class name"),
    "line break in a class": (
        lambda r: picture(r / "a\nb" / "x.png"),
        r"class 'a\nb': not usable as a class name",
    ),
    "line break in a class without images": (
        lambda r: ((r / "a\nb").mkdir(), (r / "a\nb" / "x.heic").write_bytes(b"x")),
        r"a\nb/: contains no images",
    ),
    "class that is no UTF-8": (
        lambda r: (r / "cat").rename(os.fsdecode(os.fsencode(r) + b"/b\xe4r")),
        r"class 'b\udce4r': not usable as a class name",
    ),
    "split folders that share an image": (
        lambda r: [
            (r / s / k).mkdir(parents=True) or picture(r / s / k / "same.png")
            for s in ("train", "val")
            for k in ("cat", "dog")
        ],
        "same: the same image is in train and in val",
    ),
}


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (["cat", ""], "class '': not usable as a class name"),
        (["cat", "a;b"], "class 'a;b': not usable as a class name"),
        (["cat", "background"], "class 'background': not usable as a class name"),
        ([f"c{k:03}" for k in range(254)], "254 classes; label maps have room for 253"),
    ],
)
def test_found_classes_are_checked_like_given_ones(tmp_path, found, line):
    entries = [Entry(f"i{k}", Path(f"i{k}.jpg"), "train", (n,)) for k, n in enumerate(found)]
    entries.append(Entry("v", Path("v.jpg"), "val", ()))
    with pytest.raises(InputError, match="1 problem") as raised:
        Listing(tmp_path, entries).checked(None)
    assert line in str(raised.value)


@pytest.mark.parametrize("kind", FOLDERS)
def test_class_folders(tmp_path, kind):
    change, line = FOLDERS[kind]
    change(class_folders(tmp_path))
    assert line in report(tmp_path, None)


def test_a_file_name_that_is_no_utf_8(tmp_path):
    good = class_folders(tmp_path) / "cat" / "cat0.png"
    good.rename(os.fsdecode(os.fsencode(good.parent) + b"/b\xe4r.png"))
    assert "id 'b\\udce4r': is not UTF-8; rename the image" in report(tmp_path, None)


def test_names_that_only_look_unusual_are_taken(tmp_path):
    """macOS puts a narrow no-break space before the PM of a screenshot."""
    class_folders(tmp_path, 5, ODD_NAMES)
    picture(tmp_path / "7" / "Screenshot 2026-11-26 at 3.04.05\u202fPM.png")
    classes = {
        name for entry in list_folder(tmp_path, OWN_SPLITS).checked(None) for name in entry.classes
    }
    assert classes == set(ODD_NAMES)


def test_a_class_folder_that_the_settings_do_not_name(tmp_path):
    class_folders(tmp_path)
    assert "dog/: unknown class 'dog'; did you mean 'dogs'?" in report(tmp_path, ("cat", "dogs"))
