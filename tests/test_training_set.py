"""Training samples: image, targets, saliency and padding, cropped together."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from getam_core.data import (
    of_split,
)
from getam_core.data.loader import image_loader
from getam_core.data.training_set import TrainingSet
from getam_core.errors import InputError
from getam_core.stores import StoreWriter
from getam_core.training import Batch, Processes
from getam_core.training.batches import Order, load_parts
from tests.voc_kit import CLASSES, entries_of


def training_set(voc: Path, **options) -> TrainingSet:
    entries = of_split(entries_of(voc), "train")
    arguments = {"size": 16, "scale_range": (12, 40), "seed": 3} | options
    return TrainingSet(entries, CLASSES, **arguments)


def write_saliency(voc: Path, *ids: str, size=(24, 32)) -> Path:
    with StoreWriter(voc / "saliency.h5", "saliency", CLASSES, {}) as writer:
        for image_id in ids:
            writer.write(image_id, np.full(size, 255, np.uint8))
    return voc / "saliency.h5"


def equal(first: dict, second: dict) -> bool:
    return all(np.array_equal(first[key], second[key]) for key in first)


def test_a_sample_has_the_promised_shapes_and_types(voc):
    item = training_set(voc)[1]
    assert item["image"].shape == (3, 16, 16) and item["image"].dtype == torch.float32
    assert item["target"].tolist() == [False, True] and item["index"] == 1
    assert item["valid"].dtype == torch.bool
    assert item["saliency"].shape == (16, 16) and not item["saliency"].any()


def test_saliency_is_cropped_with_the_image(voc):
    dataset = training_set(voc, saliency=write_saliency(voc, "a", "bb"))
    for epoch in range(8):
        dataset.set_epoch(epoch)
        assert torch.equal(dataset[0]["saliency"], dataset[0]["valid"].float())


def test_saliency_that_does_not_fit_the_images_is_refused(voc):
    with pytest.raises(InputError, match="bb: not in it"):
        training_set(voc, saliency=write_saliency(voc, "a"))
    dataset = training_set(voc, saliency=write_saliency(voc, "a", "bb", size=(8, 8)))
    with pytest.raises(InputError, match="a: saliency of"):
        dataset[0]


def write_labels(voc: Path, *ids: str, size=(24, 32), classes=CLASSES) -> Path:
    with StoreWriter(voc / "labels.h5", "labels", classes, {}) as writer:
        for image_id in ids:
            writer.write(image_id, np.full(size, 2, np.uint8))
    return voc / "labels.h5"


def test_given_labels_are_cropped_with_the_image_kept_or_read_again(voc):
    path = write_labels(voc, "a", "bb")
    kept, read = training_set(voc, labels=path), training_set(voc, labels=path, cache_bytes=0)
    for epoch in range(8):
        for dataset in (kept, read):
            dataset.set_epoch(epoch)
        item = kept[0]
        assert item["labels"].dtype == torch.uint8 and not item["saliency"].any()
        assert torch.equal(item["labels"], torch.where(item["valid"], 2, 255).byte())
        assert equal(item, read[0])


def test_a_batch_has_the_labels_of_its_images(voc):
    dataset = training_set(voc, labels=write_labels(voc, "a", "bb"))
    order, cpu = Order(seed=0, batch_size=2), torch.device("cpu")
    loaded = load_parts(
        dataset,
        order,
        lambda samples, _: Batch.of(samples, None, cpu),
        epoch=0,
        start=0,
        processes=Processes(),
        workers=0,
    )
    for batch, indices in zip(loaded, order.batches(len(dataset), epoch=0), strict=True):
        _, [(_, part)] = batch
        expected = torch.stack([dataset[i]["labels"] for i in indices])
        assert torch.equal(part.labels, expected) and part.saliency is None


def test_labels_that_do_not_fit_the_run_are_refused(voc):
    with pytest.raises(InputError, match="bb: not in it"):
        training_set(voc, labels=write_labels(voc, "a"))
    with pytest.raises(InputError, match="labels of the classes other"):
        training_set(voc, labels=write_labels(voc, "a", "bb", classes=["other"]))
    dataset = training_set(voc, labels=write_labels(voc, "a", "bb", size=(8, 8)))
    with pytest.raises(InputError, match="image 'a' has labels of"):
        dataset[0]


def test_samples_depend_on_seed_epoch_and_index_only(voc):
    first, again, other = (
        training_set(voc),
        training_set(voc, cache_bytes=0),
        training_set(voc, seed=4),
    )
    assert all(equal(first[0], again[0]) for _ in range(2))
    assert not equal(first[0], other[0])
    before = first[0]
    first.set_epoch(1)
    assert not equal(before, first[0])
    first.set_epoch(0)
    assert equal(before, first[0])


def test_the_epoch_reaches_workers_that_live_on(voc):
    dataset = training_set(voc, saliency=write_saliency(voc, "a", "bb"))
    alone = training_set(voc, saliency=voc / "saliency.h5")
    cv2.setNumThreads(2)
    cv2.resize(np.zeros((999, 999, 3), np.uint8), (777, 777))  # threads that a fork does not have
    options = {"num_workers": 1, "persistent_workers": True, "timeout": 60}
    loader = image_loader(dataset, batch_size=None, **options)
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        alone.set_epoch(epoch)
        assert all(equal(item, alone[i]) for i, item in enumerate(loader))


@pytest.mark.parametrize("workers", [0, 1])
def test_wrong_input_is_one_line_whoever_reads_it(voc, workers):
    dataset = training_set(voc, labels=write_labels(voc, "a", "bb", size=(8, 8)))
    with pytest.raises(InputError, match="image 'a' has labels of") as alone:
        dataset[0]
    loader = image_loader(dataset, batch_size=2, num_workers=workers)
    with pytest.raises(InputError) as read:
        next(iter(loader))
    assert str(read.value) == str(alone.value) and "\n" not in str(alone.value)


def test_the_cache_stays_within_its_bytes(voc):
    one_image = 24 * 32 * 3
    dataset = training_set(voc, cache_bytes=one_image)
    for i in (0, 1):
        dataset[i]
    assert 0 in dataset._cache and 1 not in dataset._cache
    dataset.entries[0].image.unlink()
    assert dataset[0]["image"].shape == (3, 16, 16)


@pytest.mark.parametrize("salient", [True, False])
def test_what_a_worker_decoded_is_there_for_others_and_for_the_next_epoch(voc, salient):
    saliency = write_saliency(voc, "a", "bb") if salient else None
    dataset, alone = (training_set(voc, saliency=saliency) for _ in range(2))
    list(image_loader(dataset, batch_size=None, num_workers=1, timeout=60))
    wanted = [alone[i] for i in (0, 1)]
    for entry in dataset.entries:
        entry.image.unlink()
    for workers in (0, 1):
        again = image_loader(dataset, batch_size=None, num_workers=workers)
        assert all(equal(item, wanted[i]) for i, item in enumerate(again))
