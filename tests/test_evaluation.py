import json

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
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
from getam_core.inference.class_map import class_map
from getam_core.inference.predictions import predict_split
from getam_core.inference.single_stage import SingleStage
from getam_core.refine import crf_label_map
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


class Brightness(nn.Module):
    """Three segmentation logits that are fixed mixtures of the colours, smoothed at stride 8."""

    stride = 8

    def __init__(self):
        super().__init__()
        weights = torch.tensor([[1.0, -1, 0], [-2, 2, 0], [0, -1, 1]])
        self.mix = nn.Parameter(weights[:, :, None, None])

    def classify_and_segment(self, images):
        assert images.shape[-1] % 8 == images.shape[-2] % 8 == 0
        coarse = F.avg_pool2d(F.conv2d(images, self.mix), 8)
        return coarse.mean(dim=(2, 3))[:, 1:], F.interpolate(coarse, images.shape[-2:])

    def classify_and_decode(self, images):
        return self.classify_and_segment(images)


@pytest.fixture
def photograph():
    rng = np.random.default_rng(0)
    return np.kron(rng.integers(0, 255, (5, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def segment(network, image, **views):
    return SingleStage(network, **views)(image)


def test_segmentation_at_native_size_is_the_softmax_of_the_network(photograph):
    network = Brightness()
    made = segment(network, photograph, sizes=(None,), flip=False)
    tensor = torch.from_numpy(photograph).permute(2, 0, 1)[None] / 255
    logits, segmentation = network.classify_and_segment(tensor)
    want = segmentation[0].softmax(dim=0).detach().numpy()
    np.testing.assert_allclose(made.probabilities, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made.scores, logits[0].detach().numpy(), rtol=1e-5)
    labels = made.label_map()
    np.testing.assert_array_equal(labels, want.argmax(0))
    assert labels.dtype == np.uint8 and made.scores.dtype == np.float32


def test_flip_is_undone_before_the_mean(photograph):
    # This network commutes with the flip, so a flip that is not undone would change the result.
    plain = segment(Brightness(), photograph, sizes=(None,), flip=False)
    both = segment(Brightness(), photograph, sizes=(None,), flip=True)
    np.testing.assert_allclose(plain.probabilities, both.probabilities, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(plain.scores, both.scores, rtol=1e-5, atol=1e-6)


class LeftHalf(Brightness):
    """Scores of the left half, so that the mirror image has others."""

    def classify_and_segment(self, images):
        left = images[..., : images.shape[-1] // 2]
        return super().classify_and_segment(left)[0], super().classify_and_segment(images)[1]


def test_a_flip_is_a_mean_with_the_mirror_image(photograph):
    plain, mirrored = (
        segment(LeftHalf(), np.ascontiguousarray(image), flip=False).scores
        for image in (photograph, photograph[:, ::-1])
    )
    both = segment(LeftHalf(), photograph, flip=True).scores
    assert abs(plain - mirrored).max() > 1e-2
    np.testing.assert_allclose(both, (plain + mirrored) / 2, rtol=1e-5, atol=1e-6)


def test_a_network_segments_in_evaluation_mode(photograph):
    network = Brightness().train()
    segment(network, photograph)
    assert not network.training


def test_class_map_is_of_images_of_the_size_asked_for(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((16, 24, 3), np.uint8))
    entries, seen = [Entry("a", tmp_path / "a.png", "val", ("square",))], []
    network = Brightness()
    network.forward = lambda images: seen.append(images.shape) or images.mean((2, 3))[:, :2]
    options = {"entries": entries, "classes": CLASSES, "device": torch.device("cpu")}
    assert class_map(network, size=48, **options) == 100
    assert class_map(network, size=None, **options) == 100
    assert [tuple(shape[2:]) for shape in seen] == [(32, 48), (16, 24)]


def test_an_image_of_any_size_is_segmented_at_its_own_size(photograph):
    image = photograph[:37, :45]
    made = segment(Brightness(), image, sizes=(32, 64, None), flip=True)
    labels = made.label_map()
    assert labels.shape == (37, 45) and made.scores.shape == (2,)
    assert labels.max() <= 2


def test_scores_are_the_mean_over_sizes(photograph):
    network = Brightness()
    singly = [segment(network, photograph, sizes=(size,), flip=False).scores for size in (24, 64)]
    together = segment(network, photograph, sizes=(24, 64), flip=False).scores
    np.testing.assert_allclose(together, np.mean(singly, axis=0), rtol=1e-5)


def test_crf_removes_specks_from_a_segmentation():
    image = np.full((40, 40, 3), (250, 60, 60), np.uint8)
    image[:, 20:] = (60, 250, 60)
    image[8:16, 8:16] = (130, 140, 60)  # a block that the network alone takes for class 1
    made = segment(Brightness(), image, sizes=(None,), flip=False)
    rough, refined = made.label_map(), crf_label_map((image, made.probabilities.numpy()))
    assert refined.shape == rough.shape
    assert (rough[8:16, 8:16] == 1).all() and (refined[8:16, 8:16] == 0).all()
    assert (refined[:, 24:] == 1).all() and (refined[:, :6] == 0).all()


def test_a_split_is_the_same_with_the_crf_in_processes(photograph, tmp_path):
    entries = []
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.roll(photograph, 8 * i, axis=1))
        entries.append(Entry(str(i), tmp_path / f"{i}.png", "val", ()))
    predictor = SingleStage(Brightness(), flip=False)
    for workers in (1, 2):
        path = tmp_path / f"{workers}.h5"
        with StoreWriter(path, "predictions", ("a", "b"), {}) as writer:
            predict_split(predictor, entries, None, writer, workers=workers)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
