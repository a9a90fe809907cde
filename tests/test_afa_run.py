"""A run by AFA, command by command: its network, its maps, its labels, its predictions."""

import json
from argparse import Namespace

import numpy as np
import pytest

from getam_core.classes import SCENE_CLASSES
from getam_core.data import write_index
from getam_core.errors import InputError
from getam_core.networks import load_network
from getam_core.scenes import write_scenes
from getam_core.settings import load_settings
from getam_core.stores import open_store, read_maps
from tests.tiny_workflow import TINY
from tests.voc_kit import entries_of
from workflow_scripts import export_maps, predict, pseudo_labels, train

LABELS = {"method": "thresholds", "refinement": "par", "scale": 0.5}
RUN = {
    "device": "cpu",
    "data": TINY["data"],
    "model": TINY["model"] | {"head": "max_pooled", "affinity_blocks": 2},
    "train": {
        "method": "afa",
        "epochs": 4,
        "batch_size": 2,
        "crop_size": 32,
        "scale_range": [32, 40],
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "maps": {"method": "afa"},
        "labels": LABELS,
        "afa": {"classification_iterations": 6, "propagation_iterations": 11},
    },
    "maps": {"scales": [1.0, 0.5, 1.5], "affinity": 1},
    "pseudo_labels": LABELS,
    "predict": {},
}


def settings(*sections):
    return json.dumps({name: RUN[name] for name in sections})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Eight made images, and what each command makes of them."""
    folder = tmp_path_factory.mktemp("afa")
    write_scenes(folder, train=8, val=4, size=32, seed=0)
    index = folder / "index.csv"
    write_index(index, entries_of(folder, SCENE_CLASSES))
    shared = {"index": index, "device": "cpu", "threads": 1}
    shard = {"state": folder / "parts", "shard": 0, "shard_size": 100}
    out = folder / "checkpoint.pt"
    train.main(
        Namespace(
            settings=settings("data", "model", "train"), saliency=None, labels=None, out=out,
            classifier=None, anew=False, log=None, state=folder / "state.pt",
            events=folder / "events", metrics=folder / "metrics.csv", **shared,
        )
    )  # fmt: skip
    for name in ("afa", "getam"):
        files = {"state": folder / name, "out": folder / f"{name}.h5"}
        export_maps.main(
            Namespace(
                settings=settings("data", "maps"), checkpoint=out, method=name, split="train",
                shard=0, shard_size=100, **files, **shared,
            )
        )  # fmt: skip
    pseudo_labels.main(
        Namespace(
            settings=settings("pseudo_labels"), maps=folder / "afa.h5", saliency=None,
            split="train", out=folder / "labels.h5", **shard, **shared,
        )
    )  # fmt: skip
    predict.main(
        Namespace(
            settings=settings("data", "predict"), checkpoint=out, split="val",
            out=folder / "predictions.h5", **shard, **shared,
        )
    )  # fmt: skip
    return folder


def test_the_network_comes_back_with_its_affinity(run):
    network = load_network(run / "checkpoint.pt")
    assert network.takes_maximum and network.affinity.weight.any()
    columns, *rows = (run / "metrics.csv").read_text().splitlines()
    assert "loss_affinity" in columns
    assert [row.split(",")[2] for row in rows][::3] == ["classification", "propagated"]


@pytest.mark.parametrize("method", ["afa", "getam"])
def test_maps_have_the_grid_of_the_largest_view(run, method):
    store = open_store(run / f"{method}.h5", "maps")
    for image_id in store:
        maps = read_maps(store, image_id).maps
        assert maps.shape[1:] == (6, 6) and (maps >= 0).all()  # 48 px in patches of 8


def test_labels_are_classes_of_the_image_background_and_unknown(run):
    store, maps = open_store(run / "labels.h5", "labels"), open_store(run / "afa.h5", "maps")
    seen = set()
    for image_id in store:
        own = set(np.unique(store[image_id]).tolist())
        assert own <= {0, 255, *read_maps(maps, image_id).class_ids.tolist()}
        seen |= own
    assert 255 in seen and len(seen) > 2


def test_every_image_of_val_is_segmented(run):
    store = open_store(run / "predictions.h5", "predictions")
    assert [store[image_id].shape for image_id in store] == [(32, 32)] * 4


WRONG = {
    "maps: {affinity: 8}": "maps.affinity: only train.method: afa learns affinity",
    "model: {affinity_blocks: 2}": "model.affinity_blocks: only train.method: afa",
    "train: {method: afa}": "model.affinity_blocks: train.method: afa learns affinity",
    "train: {method: afa, supervision: masks}": "supervision: masks needs method: getam",
    "train: {maps: {method: afa}}": "set model.head to max_pooled",
    "model: {name: mit_b1}": "mit_b1 is AFA's: set head to max_pooled",
    "model: {name: mit_b1, head: max_pooled}": "mit_b1 has no weights on the hub",
    "pseudo_labels: {thresholds: [0.2, 0.4]}": "expected the high one first",
    "pseudo_labels: {method: thresholds, refinement: crf}": "not by crf",
    "train: {afa: {propagation_iterations: 5}}": "must not be below classification_iterations",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_does_not_fit_is_said_with_its_key(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=WRONG[text]):
        load_settings(path)
