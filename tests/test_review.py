"""Which training images to look at first: the numbers by hand, the words, the table, the page."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from getam_core.agreement import agreement
from getam_core.data import Entry
from getam_core.errors import InputError
from getam_core.inference.single_stage import SingleStage
from getam_core.review import Evidence, Verdict, gather, rank, suspects, write_review, write_rows
from getam_core.review.suspicion import classification_loss, suspicion
from getam_core.stores import StoreWriter, open_store, write_maps
from tests.own_kit import ODD_NAMES
from tests.test_report_page import Page

CLASSES = ("cat", "dog", "cow")


def test_agreement_counts_pixels_that_either_side_gives_a_class():
    first = np.array([[0, 0, 1, 1, 2, 255]])
    second = np.array([[0, 1, 1, 2, 255, 1]])
    assert agreement(first, second) == pytest.approx(1 / 3)
    assert agreement(first, first) == 1


def test_nothing_but_background_agrees():
    nothing = np.zeros((2, 2), np.uint8)
    assert agreement(nothing, nothing) == agreement(nothing, nothing + 255) == 1


class Column(nn.Module):
    """Segments the left half as class 1, whatever is there, and so contradicts its mirror image."""

    stride = 4

    def __init__(self, sees_sides: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.sees_sides = sees_sides

    def classify_and_decode(self, images):
        B, _, H, W = images.shape
        left = (torch.arange(W) < W // 2).float() if self.sees_sides else torch.ones(W)
        object_ = (10 * left - 5).expand(B, 1, H, W)
        return images.mean((2, 3))[:, :1], torch.cat([torch.zeros_like(object_), object_], dim=1)


@pytest.mark.parametrize(("sees_sides", "expected"), [(True, 0), (False, 1)])
def test_a_prediction_says_how_far_its_mirror_image_agrees(sees_sides, expected):
    image = np.zeros((8, 16, 3), np.uint8)
    both = SingleStage(Column(sees_sides), sizes=(8, 16), flip=True)(image)
    assert both.attributes()["flip_agreement"] == expected
    assert "flip_agreement" not in SingleStage(Column(sees_sides), flip=False)(image).attributes()


LABELLED = {"good": ("cat",), "swapped": ("dog",), "empty": (), "two": ("cat", "cow")}
SCORES = {
    "good": (4.0, -5.0, -5.0),
    "swapped": (3.0, -3.0, -5.0),
    "empty": (-4.0, -4.0, -4.5),
    "two": (2.0, -6.0, 1.0),
}
LEFT_CAT = np.repeat(np.array([[1, 1, 0, 0]], np.uint8), 4, axis=0)
LEFT_DOG = 2 * LEFT_CAT


@pytest.fixture(name="run")
def made_run(tmp_path):
    """Entries and stores of a run of four images, of which one shows a cat but is labelled dog."""
    return write_run(tmp_path)


def write_run(tmp_path):
    entries = []
    for image_id, classes in LABELLED.items():
        Image.new("RGB", (4, 4)).save(tmp_path / f"{image_id}.png")
        entries.append(Entry(image_id, tmp_path / f"{image_id}.png", "train", classes))
    paths = {kind: tmp_path / f"{kind}.h5" for kind in ("maps", "labels", "predictions")}
    writers = {kind: StoreWriter(path, kind, CLASSES, {}) for kind, path in paths.items()}
    with (
        writers["maps"] as maps,
        writers["labels"] as labels,
        writers["predictions"] as predictions,
    ):
        for entry in entries:
            name, scores = entry.image_id, np.array(SCORES[entry.image_id], np.float32)
            write_maps(maps, name, np.zeros((0, 1, 1)), [], scores, size=(4, 4))
            labels.write(name, LEFT_DOG if name == "swapped" else LEFT_CAT)
            predictions.write(name, LEFT_CAT, scores=scores, flip_agreement=np.float32(0.75))
    return entries, *(open_store(path) for path in paths.values())


def test_the_image_whose_label_the_network_contradicts_comes_first(run):
    entries, maps, labels, predictions = run
    rows = rank(entries, gather(entries, maps, labels, predictions), CLASSES)
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    first = rows[0]
    assert first.entry.image_id == "swapped"
    assert first.denied == Verdict("dog", -3.0, 0.0) and first.found == Verdict("cat", 3.0, 0.5)
    assert (first.label_agreement, first.flip_agreement) == (0, 0.75)
    assert "labelled dog, which the network denies (5 % sure, 0 % of the image)" in first.reason
    assert "not labelled cat, which the network finds (95 % sure, 50 % of" in first.reason
    assert "pseudo label and prediction agree on 0 %" in first.reason
    assert {row.reason for row in rows[1:]} == {"nothing stands out"}


def test_without_predictions_the_scores_of_the_maps_are_used(run):
    entries, maps, labels, _ = run
    first, *others = rank(entries, gather(entries, maps, labels, None), CLASSES)
    assert first.entry.image_id == "swapped" and "95 % sure)" in first.reason
    assert all(row.label_agreement is None for row in [first, *others])


def test_predictions_of_one_view_have_no_mirror_image(run, tmp_path):
    entries, maps, labels, _ = run
    with StoreWriter(tmp_path / "one.h5", "predictions", CLASSES, {}) as writer:
        for entry in entries:
            writer.write(entry.image_id, LEFT_CAT, scores=np.zeros(3, np.float32))
    evidence = gather(entries, maps, labels, open_store(tmp_path / "one.h5"))
    assert evidence.flip_agreement is None and evidence.label_agreement is not None


def test_an_image_with_every_class_and_one_without_any_are_ranked_too():
    targets = np.array([[True, True], [False, False]])
    scores = np.array([[5.0, -1.0], [2.0, -7.0]], np.float32)
    entries = [Entry(name, "x.png", "train", ()) for name in ("all", "none")]
    rows = rank(entries, Evidence(targets, scores), ("a", "b"))
    found = {row.entry.image_id: (row.denied, row.found) for row in rows}
    assert found == {"all": (Verdict("b", -1.0), None), "none": (None, Verdict("a", 2.0))}
    assert all(np.isfinite(row.suspicion) for row in rows)


def test_images_without_any_label_cannot_be_reviewed(run):
    entries, *stores = run
    unlabelled = [Entry(e.image_id, e.image, e.split, ()) for e in entries]
    with pytest.raises(InputError, match="image-level label"):
        gather(unlabelled, *stores)


def test_the_table_has_a_line_per_image_and_leaves_unknown_numbers_empty(run, tmp_path):
    entries, maps, labels, _ = run
    write_rows(tmp_path / "review.csv", rank(entries, gather(entries, maps, labels, None), CLASSES))
    with (tmp_path / "review.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["rank"] for line in lines] == ["1", "2", "3", "4"]
    assert lines[0]["image_id"] == "swapped" and lines[0]["denied_score"] == "-3.0000"
    assert {line["flip_agreement"] for line in lines} == {""}
    assert {line["classes"] for line in lines} == {"cat", "dog", "cat;cow", ""}


@pytest.mark.parametrize(("predicted", "panels"), [(True, 3), (False, 2)])
def test_the_page_shows_what_there_is_and_needs_no_other_file(run, tmp_path, predicted, panels):
    entries, maps, labels, predictions = run
    predictions = predictions if predicted else None
    rows = rank(entries, gather(entries, maps, labels, predictions), CLASSES)
    shown = suspects(rows[:2], labels, predictions)
    write_review(tmp_path / "review.html", "a & b", shown, CLASSES, len(rows))
    text = (tmp_path / "review.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == [] and all(a.startswith(("data:", "#")) for a in page.addresses)
    assert text.count("<figure>") == 2 * panels
    assert "1. swapped" in text and "The first 2 of 4" in text and rows[0].reason in text


def reviewed(folder, run, classes=CLASSES):
    """Return the review of the four images of `run`, with the given names of the classes."""
    entries, maps, labels, predictions = run
    rows = rank(entries, gather(entries, maps, labels, predictions), classes)
    shown = suspects(rows, labels, predictions)
    write_review(folder / "review.html", "<i>", shown, classes, len(rows))
    return folder / "review.html"


def test_names_are_text_on_the_page(run, tmp_path):
    page = reviewed(tmp_path, run, ODD_NAMES[:3])
    assert Page(page.read_text(encoding="utf-8")).open == []


def test_suspicion_is_the_loss_to_which_disagreement_adds():
    targets, scores = np.array([[True, False]]), np.array([[0.0, np.log(3)]], np.float32)
    loss = np.log(2) + np.log(4)
    assert suspicion(Evidence(targets, scores)) == pytest.approx(loss)
    areas, same, mirrored = np.zeros((1, 2)), np.array([0.25]), np.array([0.9])
    whole = Evidence(targets, scores, areas, same, mirrored)
    assert suspicion(whole) == pytest.approx(loss + 0.75 + 0.1)


def test_a_confident_wrong_label_has_a_finite_loss():
    large = np.array([[-1e4, 1e4]], np.float32)
    assert classification_loss(large, np.array([[True, False]])) == pytest.approx(2e4)
