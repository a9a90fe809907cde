"""Labels by the trained network: only of each image's own classes."""

import numpy as np
import pytest
import torch
from PIL import Image

from getam_core.data import Entry
from getam_core.evaluation import ConfusionMatrix
from getam_core.inference.network_labels import label_split, of_classes
from getam_core.inference.prediction import ViewPrediction
from getam_core.inference.single_stage import SingleStage
from getam_core.processes import Workers
from getam_core.stores import StoreWriter, open_store
from workflow_scripts.evaluate_labels import described

CLASSES = ("cat", "cow", "dog")


def test_probabilities_of_some_classes_sum_to_one_again():
    probabilities = torch.tensor([0.2, 0.5, 0.2, 0.1])[:, None, None]
    own = of_classes(probabilities, [0, 2])
    torch.testing.assert_close(own.flatten(), torch.tensor([0.5, 0.5]))


class Seen(SingleStage):
    """Predicts the same for every image: the given probabilities, at the image's own size."""

    def __init__(self, planes):
        self.planes = planes

    def views(self, image):
        return [image]

    def segment_alike(self, views):
        return [ViewPrediction(self.planes.log()[None], view.shape[:2]) for view in views]


@pytest.mark.parametrize("recipe", [None, "getam"])
def test_an_image_gets_background_and_its_own_classes_alone(tmp_path, recipe):
    rows = torch.tensor([[0.1, 0.6, 0.1, 0.2], [0.6, 0.1, 0.2, 0.1]])  # cat above, background below
    planes = rows.repeat_interleave(4, 0).T[:, :, None].expand(-1, -1, 8).contiguous()
    Image.fromarray(np.repeat(np.uint8([255, 0]), 4)[:, None].repeat(8, 1)).convert("RGB").save(
        tmp_path / "a.png"
    )
    entries = [
        Entry(name, tmp_path / "a.png", "train", classes)
        for name, classes in [("both", ("cat", "dog")), ("dog", ("dog",)), ("none", ())]
    ]
    with StoreWriter(tmp_path / "labels.h5", "labels", CLASSES, {}) as writer:
        made = {"classes": CLASSES, "recipe": recipe, "workers": Workers(1)}
        label_split(Seen(planes), entries, writer, **made)
    store = open_store(tmp_path / "labels.h5", "labels")
    tops = {name: (store[name][0, 0], store[name][-1, -1]) for name in ("both", "dog", "none")}
    assert tops == {"both": (1, 0), "dog": (3, 0), "none": (0, 0)}


def test_their_figure_says_by_what_settings_they_were_predicted(tmp_path):
    header = {"predict": {"crf": True}, "made_from": {"method": "network"}}
    with StoreWriter(tmp_path / "labels.h5", "labels", CLASSES, header) as writer:
        writer.write("a", np.ones((2, 2), np.uint8))
    matrix = ConfusionMatrix(4)
    matrix.update(np.ones((2, 2), np.uint8), np.ones((2, 2), np.uint8))
    entry = described(open_store(tmp_path / "labels.h5"), "train", "network", matrix)
    assert (entry["what"], entry["method"], entry["miou"]) == ("pseudo_labels", "network", 100.0)
    assert entry["settings"] == {"crf": True}
