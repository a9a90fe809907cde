"""Figures counted in shards are those of the whole split, to the last digit."""

import json
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

from getam_core.data import Entry, write_index
from getam_core.errors import InputError
from getam_core.evaluation import ConfusionMatrix, read_counts, write_counts, write_mask_index
from getam_core.stores import StoreWriter, write_maps
from workflow_scripts import count_pixels, evaluate_labels, evaluate_seed

CLASSES, SIZE = ("cat", "dog"), (12, 16)
IDS = [f"image_{i}" for i in range(5)]


@pytest.fixture
def split(tmp_path):
    """Five images with masks, maps, and predictions with scores."""
    rng = np.random.default_rng(0)
    masks, entries = {}, []
    with (
        StoreWriter(tmp_path / "maps.h5", "maps", CLASSES, {"maps": {}}) as maps,
        StoreWriter(tmp_path / "predictions.h5", "predictions", CLASSES, {"predict": {}}) as labels,
    ):
        for i, image_id in enumerate(IDS):
            masks[image_id] = tmp_path / f"{image_id}.png"
            mask = rng.choice([0, 1, 2, 255], SIZE).astype(np.uint8)
            Image.fromarray(mask if i != 3 else mask * 0 + 255).save(masks[image_id])
            write_maps(maps, image_id, rng.random((2, 3, 4)), [1, 2], size=SIZE)
            scores = rng.random(2, np.float32)
            labels.write(image_id, rng.integers(0, 3, SIZE, np.uint8), scores=scores)
            entries.append(Entry(image_id, masks[image_id], "val", CLASSES[i % 2 :][:1]))
    write_index(tmp_path / "index.csv", entries)
    write_mask_index(tmp_path / "masks.csv", masks)
    return tmp_path


@pytest.mark.parametrize("store", ["maps", "predictions"])
def test_shards_add_up_to_the_whole(split, store, monkeypatch):
    common = {"index": split / "index.csv", "masks": split / "masks.csv", "split": "val"}
    stage = evaluate_labels
    if store == "maps":
        stage = evaluate_seed
        monkeypatch.setattr(stage, "of_split", lambda entries, _: entries)  # it takes train
    made = []
    for counts in ([], [split / f"{n}.npz" for n in range(3)]):
        for shard, out in enumerate(counts):
            shard = {"shard": shard, "shard_size": 2, "out": out}
            count_pixels.main(Namespace(store=split / f"{store}.h5", **shard, **common))
        names = ("out", "images", "confusion")
        files = {name: split / f"{name}{len(counts)}" for name in names}
        stores = dict.fromkeys(("labels", "maps"), split / f"{store}.h5")
        counted = {"counts": counts[0] if counts else None, "shards": len(counts)}
        stage.main(Namespace(method="getam", **counted, **stores, **files, **common))
        made.append([path.read_text() for path in files.values() if path.exists()])
    assert made[0] == made[1] and json.loads(made[0][0])["images"] == 5


def test_counts_of_other_images_are_refused(tmp_path):
    paths = [tmp_path / "0.npz", tmp_path / "1.npz"]
    for path, ids in zip(paths, (IDS[:3], IDS[3:]), strict=True):
        write_counts(path, ids, [ConfusionMatrix(3)])
    (matrix,), mious = read_counts(paths, IDS)
    assert (matrix.images, mious) == (5, {})
    for chosen in (paths[:1], paths[::-1], [*paths, paths[0]]):
        with pytest.raises(InputError, match=r"\.npz and those after it: .*count them again"):
            read_counts(chosen, IDS)
