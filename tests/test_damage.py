"""Every stage that reads a store refuses a truncated one, or one with a flipped bit (by image)."""

import numpy as np
import pytest

from getam_core.classes import SCENE_CLASSES
from getam_core.data import of_split
from getam_core.data.training_set import TrainingSet
from getam_core.errors import InputError
from getam_core.evaluation import evaluate_label_maps, seed_curve
from getam_core.evaluation.ablation import evaluate_variants
from getam_core.labels import export_labels
from getam_core.processes import Workers
from getam_core.report import predicted_example, training_example
from getam_core.scenes import write_scenes
from getam_core.settings import Settings
from getam_core.stores import (
    StoreWriter,
    export_coco,
    export_png,
    merge_stores,
    open_store,
    summary,
    verify,
    write_maps,
)
from tests.voc_kit import entries_of


class Run:
    """The stores of a small data set, made in `folder`."""

    def __init__(self, folder):
        self.folder, self.classes = folder, SCENE_CLASSES
        write_scenes(folder, train=4, val=1, size=32, seed=0)
        listed = entries_of(folder, SCENE_CLASSES)
        self.entries = of_split(listed, "train")
        self.ids = [entry.image_id for entry in self.entries]
        masks = folder / "SegmentationClass"
        self.masks = {image_id: masks / f"{image_id}.png" for image_id in self.ids}
        rng = np.random.default_rng(0)
        with StoreWriter(folder / "maps.h5", "maps", SCENE_CLASSES, {}) as writer:
            for entry in self.entries:
                ids = [SCENE_CLASSES.index(name) + 1 for name in entry.classes]
                write_maps(writer, entry.image_id, rng.random((len(ids), 4, 4)), ids, size=(32, 32))
        for kind in ("saliency", "labels", "predictions"):
            with StoreWriter(folder / f"{kind}.h5", kind, SCENE_CLASSES, {}) as writer:
                for image_id in self.ids:
                    writer.write(image_id, rng.integers(0, 3, (32, 32), np.uint8))

    def store(self, kind):
        return open_store(self.folder / f"{kind}.h5", kind)


def train(run):
    crops = TrainingSet(run.entries, run.classes, 32, (32, 32), 0, run.folder / "saliency.h5")
    return [crops[i] for i in range(len(crops))]


def label(run):
    with StoreWriter(run.folder / "out.h5", "labels", run.classes, {}) as writer:
        stores = run.store("maps"), run.store("saliency")
        export_labels(run.entries, *stores, writer, saliency_threshold=0.5, workers=Workers(1))


def sweep(run):
    variants = {"one": Settings().pseudo_labels.model_dump()}
    stores = run.store("maps"), run.store("saliency")
    evaluate_variants(run.entries, run.masks, *stores, variants)


def merge(run):
    merge_stores(run.folder / "out.h5", [run.folder / "maps.h5"], run.ids)


def report(run):
    stores = {"saliency": run.store("saliency"), "labels": run.store("labels")}
    maps = {"getam": run.store("maps")}
    for entry in run.entries:
        training_example(entry, classes=run.classes, maps=maps, mask=None, **stores)
        predictions = run.store("predictions")
        predicted_example(entry, classes=run.classes, predictions=predictions, mask=None)


def score(kind):
    return lambda run: evaluate_label_maps(run.store(kind), run.masks, len(run.classes) + 1)


def score_seeds(run):
    seed_curve(run.store("maps"), run.masks, len(run.classes) + 1)


def export(run):
    export_png(run.store("labels"), run.folder / "png")


READERS = [
    ("saliency", train),
    ("saliency", label),
    ("saliency", sweep),
    ("saliency", report),
    ("maps", label),
    ("maps", sweep),
    ("maps", merge),
    ("maps", score_seeds),
    ("maps", report),
    ("maps", lambda run: summary(run.store("maps"))),
    ("labels", score("labels")),
    ("labels", report),
    ("labels", export),
    ("labels", lambda run: export_coco(run.store("labels"), run.folder / "coco.json")),
    ("labels", lambda run: summary(run.store("labels"))),
    ("saliency", lambda run: summary(run.store("saliency"))),
    ("predictions", score("predictions")),
    ("predictions", report),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def run(whole):
    """The run, with its stores put back afterwards."""
    kept = {path: path.read_bytes() for path in whole.folder.glob("*.h5")}
    yield whole
    for path in whole.folder.glob("*.h5"):
        path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)


def place_of(store, image_id):
    """Return where in the file an image's bytes begin."""
    data = store._images()[image_id]
    place = data.id.get_offset() if data.chunks is None else data.id.get_chunk_info(0).byte_offset
    store.close()
    return place


@pytest.mark.parametrize(("kind", "reader"), READERS)
def test_a_flipped_bit_is_refused_naming_the_image(run, kind, reader):
    reader(run)  # whole files are read
    (run.folder / "out.h5").unlink(missing_ok=True)
    path, image_id = run.folder / f"{kind}.h5", run.ids[2]
    data = bytearray(path.read_bytes())
    data[place_of(open_store(path), image_id) + 9] ^= 4
    path.write_bytes(data)
    assert len(verify(path)) == 1 and repr(image_id) in verify(path)[0]
    with pytest.raises(InputError, match=rf"{kind}\.h5: image '{image_id}' is damaged"):
        reader(run)
    assert not (run.folder / "out.h5").exists()


@pytest.mark.parametrize(("kind", "reader"), READERS)
def test_a_truncated_file_is_refused_by_name(run, kind, reader):
    path = run.folder / f"{kind}.h5"
    path.write_bytes(path.read_bytes()[:-100])
    assert len(verify(path)) == 1
    with pytest.raises(InputError, match=rf"{kind}\.h5: truncated"):
        reader(run)
