"""How a file gets into the library: data set, index, image, training sample."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from getam_core.classes import VOC_CLASSES
from getam_core.data import (
    Entry,
    check_images,
    class_targets,
    of_split,
    read_image,
    read_index,
    voc_folder,
    write_index,
)
from getam_core.data.tensors import to_tensor, to_uint8
from getam_core.errors import InputError
from tests.voc_kit import CLASSES, SPLITS, annotation, entries_of, write_list

VOC_MINI = Path(__file__).parents[2] / "shared" / "data" / "voc_mini"
needs_voc_mini = pytest.mark.skipif(
    not VOC_MINI.is_dir(), reason="the 1,000-image VOC set is not beside the checkout"
)


def problems_of(root: Path) -> str:
    with pytest.raises(InputError) as raised:
        entries_of(root)
    return str(raised.value)


# --- voc --------------------------------------------------------------------------------------


def test_voc_is_read_in_list_order_with_classes_in_the_run_s_order(voc):
    image = voc / "JPEGImages"
    assert entries_of(voc) == [
        Entry("a", image / "a.jpg", "train", ("cat", "dog")),
        Entry("bb", image / "bb.jpg", "train", ("dog",)),
        Entry("ccc", image / "ccc.jpg", "val", ("cat",)),
    ]


@pytest.mark.parametrize("inner", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_the_folder_is_found_from_each_root_that_people_give(tmp_path, inner):
    (tmp_path / inner / "JPEGImages").mkdir(parents=True)
    assert voc_folder(tmp_path) == tmp_path / inner


@pytest.mark.parametrize("root", ["absent", "."])
def test_a_root_that_is_no_data_set_is_named(tmp_path, root):
    with pytest.raises(InputError, match=r"data_root .*; give the folder that holds JPEGImages"):
        voc_folder(tmp_path / root)


def test_lists_of_the_augmented_set_with_paths_are_understood(voc):
    write_list(voc, "train", "/JPEGImages/a.jpg /SegmentationClassAug/a.png")
    assert [entry.image_id for entry in entries_of(voc)] == ["a", "ccc"]


def test_parts_of_an_object_are_no_objects(voc):
    xml = annotation("cat").replace("</object>", "<part><name>head</name></part></object>")
    (voc / "Annotations" / "ccc.xml").write_text(xml)
    assert entries_of(voc)[2].classes == ("cat",)


def test_every_problem_is_reported_at_once(voc):
    (voc / "JPEGImages" / "a.jpg").unlink()
    (voc / "Annotations" / "a.xml").write_text("<annotation>")
    (voc / "Annotations" / "bb.xml").unlink()
    (voc / "Annotations" / "ccc.xml").write_text(annotation("unicorn"))
    write_list(voc, "train", "a", "a", "bb")
    write_list(voc, "val", "ccc", "bb")
    assert problems_of(voc).splitlines()[1:] == [
        "  JPEGImages/a.jpg: missing (no other suffix either)",
        "  Annotations/a.xml: not valid XML (no element found: line 1, column 12)",
        "  a: listed twice in split 'train'",
        "  Annotations/bb.xml: missing",
        "  Annotations/ccc.xml: unknown class 'unicorn'",
        "  bb: in split 'train' and in split 'val'",
        "  class 'cat': no training image shows it",
        "  class 'dog': no training image shows it",
    ]


def test_missing_and_empty_lists_are_problems(voc):
    write_list(voc, "train")
    (voc / "ImageSets" / "Segmentation" / "val.txt").unlink()
    message = problems_of(voc)
    assert "ImageSets/Segmentation/train.txt: empty" in message
    assert "ImageSets/Segmentation/val.txt: missing" in message


def test_a_flood_of_problems_is_counted_and_cut_at_twenty(voc):
    write_list(voc, "val", *(f"absent_{i}" for i in range(15)))
    lines = problems_of(voc).splitlines()
    assert lines[0].endswith("30 problems")
    assert len(lines) == 22
    assert lines[-1] == "  ... and 10 more"


@needs_voc_mini
def test_the_real_set_is_read_and_every_image_of_a_sample_opens():
    entries = entries_of(VOC_MINI, VOC_CLASSES)
    assert [len(of_split(entries, split)) for split in SPLITS] == [800, 200]
    assert all(entry.classes for entry in entries)
    check_images(entries[::20], workers=2)


# --- index ------------------------------------------------------------------------------------


def test_an_index_comes_back_as_it_was_written(tmp_path):
    entries = [
        Entry("a,1", tmp_path / "ü a.jpg", "train", ("cat", "dog")),
        Entry("b", tmp_path / "b.png", "val", ()),
    ]
    write_index(tmp_path / "index.csv", entries)
    assert read_index(tmp_path / "index.csv") == entries


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "first line must be image_id,image,split,classes"),
        (b"image_id,mask\na,b\n", "first line must be"),
        (b"image_id,image,split,classes\na,b\n", "line 2: 2 columns instead of 4"),
        (b"\x89PNG\xff\xfe", "not a CSV file"),
    ],
)
def test_a_file_that_is_no_index_is_named(tmp_path, content, message):
    path = tmp_path / "index.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_index(path)


def test_a_missing_index_is_named(tmp_path):
    with pytest.raises(InputError, match="no such index"):
        read_index(tmp_path / "index.csv")


def test_a_split_without_images_is_named_with_what_there_is():
    entries = [Entry("a", Path("a.jpg"), "train", ())]
    with pytest.raises(InputError, match=r"no image of split 'val' \(it has train\)"):
        of_split(entries, "val")


def test_targets_have_a_column_for_every_class_in_order():
    entries = [Entry("a", Path(), "train", ("dog",)), Entry("b", Path(), "train", ())]
    assert class_targets(entries, CLASSES).tolist() == [[False, True], [False, False]]
    with pytest.raises(InputError, match="a: class 'dog' is not one of the run's"):
        class_targets(entries, ("cat",))


# --- images -----------------------------------------------------------------------------------


def test_images_are_read_as_rgb_and_survive_the_way_to_a_tensor_and_back(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    read = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read, image)
    tensor = to_tensor(read)
    assert tensor.shape == (3, 5, 7) and tensor.dtype == torch.float32
    assert torch.equal(tensor[0], torch.from_numpy(image[..., 0] / np.float32(255)))
    np.testing.assert_array_equal(to_uint8(tensor), image)


@pytest.mark.parametrize("content", [None, b"", b"no image"])
def test_what_cannot_be_decoded_is_named(tmp_path, content):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.jpg: "):
        read_image(path)


def test_the_check_finds_missing_truncated_and_false_images_at_once(voc):
    entries = entries_of(voc)
    check_images(entries, workers=2)
    entries[0].image.unlink()
    entries[1].image.write_bytes(entries[1].image.read_bytes()[:-200])
    entries[2].image.write_text("no image")
    with pytest.raises(InputError) as raised:
        check_images(entries, workers=2)
    first, a, bb, ccc = str(raised.value).splitlines()
    assert "3 problems" in first
    assert "a.jpg: missing" in a and "bb.jpg: cannot" in bb and "ccc.jpg: cannot" in ccc
