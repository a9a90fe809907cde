import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.functional.classification import multilabel_average_precision

from getam_core.classes import palette
from getam_core.data import read_image
from getam_core.data.index import Entry
from getam_core.errors import InputError
from getam_core.evaluation import (
    ConfusionMatrix,
    average_precision,
    check_masks,
    evaluate_label_maps,
    find_masks,
    label_entry,
    mean_average_precision,
    merge_entries,
    read_mask,
    read_mask_index,
    seed_entry,
    write_confusion,
    write_mask_index,
    write_mious,
)
from getam_core.report import read_confusion, read_mious
from getam_core.stores import StoreWriter, open_store

CLASSES = ("circle", "square")
MASK = np.array([[0, 1, 255], [2, 2, 0]], np.uint8)


def save_palette_png(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    image.putpalette(palette().tobytes())
    image.save(path)


@pytest.fixture
def voc(tmp_path):
    """Two images of 2 x 3 pixels with their masks in VOC layout."""
    root = tmp_path / "VOC2012"
    (root / "JPEGImages").mkdir(parents=True)
    entries = []
    for image_id in ("x", "y"):
        image = root / "JPEGImages" / f"{image_id}.png"
        Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(image)
        save_palette_png(root / "SegmentationClass" / f"{image_id}.png", MASK)
        entries.append(Entry(image_id, image, "train", ("circle",)))
    return tmp_path, entries


def test_palette_masks_are_read_as_indices_not_colours(voc):
    root, entries = voc
    masks = find_masks(root, entries)
    np.testing.assert_array_equal(read_mask(masks["x"]), MASK)
    assert read_mask(masks["x"]).dtype == np.uint8
    check_masks(masks, entries, num_classes=3)


def test_masks_in_colours_are_refused(tmp_path):
    Image.fromarray(palette()[MASK]).save(tmp_path / "colour.png")
    with pytest.raises(InputError, match=r"colour\.png: mode RGB, expected an index"):
        read_mask(tmp_path / "colour.png")


def test_all_problems_of_masks_are_reported_at_once(voc):
    root, entries = voc
    masks = find_masks(root, entries)
    masks["x"].write_bytes(masks["x"].read_bytes()[:60])
    save_palette_png(masks["y"], np.full((4, 3), 9, np.uint8))
    entries = [*entries, Entry("z", entries[0].image, "train", ()), Entry("w", "w.png", "val", ())]
    masks |= {"z": masks["x"].with_name("z.png")}
    with pytest.raises(InputError) as error:
        check_masks(masks, entries, num_classes=3)
    text = str(error.value)
    for part in ("x.png: cannot be decoded", "4 x 3 pixels, its image has 2 x 3"):
        assert part in text
    for part in ("values [9], expected 0..2 or 255", "z.png: no such mask", "w: has no mask"):
        assert part in text


@pytest.mark.parametrize("name", ["x.jpg", "x.tif", "x.webp"])
def test_a_photograph_turned_by_exif_fits_its_upright_mask(tmp_path, name):
    image = Image.fromarray(np.zeros((3, 2, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter turn: 3 x 2 as stored, 2 x 3 upright
    image.save(tmp_path / name, exif=exif)
    save_palette_png(tmp_path / "x.png", MASK)
    assert read_image(tmp_path / name).shape[:2] == MASK.shape
    entry = Entry("x", tmp_path / name, "val", ())
    check_masks({"x": tmp_path / "x.png"}, [entry], num_classes=3)


def test_mask_index_is_read_as_written(tmp_path):
    masks = {"a,b": tmp_path / "a,b.png", "c": tmp_path / "c.png"}
    write_mask_index(tmp_path / "masks.csv", masks)
    assert read_mask_index(tmp_path / "masks.csv") == masks
    (tmp_path / "index.csv").write_text("image_id,image,split,classes\n")
    with pytest.raises(InputError, match=r"index\.csv: expected the columns image_id,mask"):
        read_mask_index(tmp_path / "index.csv")
    with pytest.raises(InputError, match="no such index"):
        read_mask_index(tmp_path / "absent.csv")


def labels_of(tmp_path, arrays):
    with StoreWriter(tmp_path / "labels.h5", "labels", CLASSES, {}) as writer:
        for image_id, array in arrays.items():
            writer.write(image_id, array)
    return open_store(tmp_path / "labels.h5")


def test_label_maps_are_counted_over_the_masks_given(voc):
    root, entries = voc
    prediction = np.array([[0, 255, 1], [2, 1, 0]], np.uint8)
    store = labels_of(root, {"x": prediction, "y": MASK, "unmasked": MASK})
    matrix, mious = evaluate_label_maps(store, find_masks(root, entries), 3)
    # Background 4/4, circle 1 hit of 2 and one false alarm, square 3 of 4; one unknown of 10.
    np.testing.assert_allclose(matrix.iou(), [1, 1 / 3, 3 / 4])
    assert matrix.images == 2 and matrix.coverage() == 0.9
    # Of x alone: background 2/2, circle 0 of 1 and one false alarm, square 1 of 2.
    assert mious == {"x": pytest.approx(0.5), "y": 1.0}


def test_mious_and_confusion_are_written_for_the_report(tmp_path):
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([[0, 255, 1], [2, 1, 0]], np.uint8), MASK)
    write_confusion(tmp_path / "confusion.csv", matrix, CLASSES)
    names, counts = read_confusion(tmp_path / "confusion.csv")
    assert names == ["background", *CLASSES]
    np.testing.assert_array_equal(counts, matrix.counts)
    write_mious(tmp_path / "images.csv", {"x": 0.5, "nothing but 255": float("nan")})
    assert read_mious(tmp_path / "images.csv") == {"x": 50.0}


def test_label_maps_that_do_not_fit_are_named(voc):
    root, entries = voc
    masks = find_masks(root, entries)
    store = labels_of(root, {"x": MASK.T.copy()})
    with pytest.raises(InputError, match=r"labels\.h5: image 'x': .* differ in shape"):
        evaluate_label_maps(store, masks, 3)
    with pytest.raises(InputError, match="no image 'y'"):
        evaluate_label_maps(store, {"y": masks["y"]}, 3)


def test_average_precision_of_a_case_done_by_hand():
    scores, targets = np.array([[4.0], [3], [2], [1]]), np.array([[1], [0], [1], [0]])
    assert average_precision(scores, targets)[0] == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("levels", [3, 1000])  # few levels: many ties
def test_average_precision_agrees_with_torchmetrics(levels):
    rng = np.random.default_rng(levels)
    scores = rng.integers(0, levels, (50, 6)) / levels
    targets = rng.random((50, 6)) < 0.3
    reference = multilabel_average_precision(
        torch.from_numpy(scores), torch.from_numpy(targets).long(), 6, average="none"
    )
    np.testing.assert_allclose(average_precision(scores, targets), reference, rtol=1e-5)
    assert mean_average_precision(scores, targets) == pytest.approx(reference.mean().item())


def test_classes_without_a_positive_are_left_out_of_the_mean():
    scores, targets = np.array([[1.0, 1], [0, 0]]), np.array([[1, 0], [0, 0]])
    np.testing.assert_array_equal(average_precision(scores, targets), [1, np.nan])
    assert mean_average_precision(scores, targets) == 1
    assert np.isnan(mean_average_precision(scores, np.zeros((2, 2), bool)))


def counted(prediction, mask):
    matrix = ConfusionMatrix(3)
    matrix.update(np.array(prediction), np.array(mask))
    return matrix


def test_entry_is_in_percent_with_null_for_absent_classes():
    matrix = counted([[0, 1, 1, 0]], [[0, 1, 1, 1]])
    entry = label_entry("val", "segmentation", "getam", matrix, CLASSES, {"flip": True})
    assert json.loads(json.dumps(entry, allow_nan=False)) == {
        "split": "val",
        "what": "segmentation",
        "method": "getam",
        "miou": 58.33,
        "per_class": {"background": 50.0, "circle": 66.67, "square": None},
        "images": 1,
        "settings": {"flip": True},
    }


def test_entry_of_labels_with_unknown_pixels_says_how_many_are_known():
    matrix = counted([[0, 255, 1, 1]], [[0, 0, 1, 1]])
    entry = label_entry("train", "pseudo_labels", "getam", matrix, CLASSES, {})
    assert (entry["miou"], entry["miou_known"], entry["coverage"]) == (75.0, 100.0, 0.75)


def test_seed_entry_takes_the_best_threshold_and_keeps_the_curve():
    mask = [[0, 1, 1, 1]]
    predictions = {0.1: [[1, 1, 1, 1]], 0.2: [[0, 1, 1, 1]], 0.3: [[0, 1, 1, 0]]}
    curve = [(threshold, counted(p, mask)) for threshold, p in predictions.items()]
    entry = seed_entry("train", "grad_cam", curve, CLASSES, {"size": None})
    assert entry["what"] == "seed" and entry["miou"] == 100
    assert entry["settings"] == {"size": None, "threshold": 0.2}
    assert entry["curve"] == [[0.1, 37.5], [0.2, 100.0], [0.3, 58.33]]


def test_merged_entries_stand_in_the_order_of_the_data():
    matrix = counted([[0]], [[0]])
    keys = [("segmentation", "val"), ("seed", "train"), ("segmentation", "train")]
    entries = [label_entry(split, what, "getam", matrix, CLASSES, {}) for what, split in keys]
    merged = merge_entries("demo", "scenes", CLASSES, entries)
    assert list(merged) == ["run", "dataset", "classes", "entries"]
    assert merged["classes"] == list(CLASSES)
    found = [(entry["what"], entry["split"]) for entry in merged["entries"]]
    assert found == [("seed", "train"), ("segmentation", "train"), ("segmentation", "val")]
