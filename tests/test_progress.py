"""The picture of training images after every epoch: what it shows, and that it changes nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from getam_core.classes import SCENE_CLASSES
from getam_core.data import of_split
from getam_core.data.tensors import to_uint8
from getam_core.data.training_set import TrainingSet
from getam_core.report import colour_labels
from getam_core.report.progress import TrainingPicture
from getam_core.stores import StoreWriter
from getam_core.training import Labelling
from tests.networks import tiny_network
from tests.training_kit import same_but_for_speed, trainer

SIDE, PANEL = 32, 36  # a panel includes the white gap


def samples(scenes, count=3):
    root, entries = scenes
    chosen = of_split(entries, "train")[:count]
    return TrainingSet(chosen, SCENE_CLASSES, SIDE, (SIDE, SIDE), 0, root / "saliency.h5")


def panel(picture, row, column):
    return picture[row * PANEL : row * PANEL + SIDE, column * PANEL : column * PANEL + SIDE]


@pytest.mark.parametrize("method", ["getam", "grad_cam"])
@pytest.mark.parametrize("threshold", [0.5, None])
def test_a_row_is_an_image_its_maps_its_label_and_the_prediction(scenes, method, threshold):
    shown, network = samples(scenes), tiny_network()
    picture = TrainingPicture(shown, Labelling(method=method), threshold)(network)
    assert picture.shape == (3 * PANEL - 4, 4 * PANEL - 4, 3) and picture.dtype == np.uint8
    for row in range(3):
        image = to_uint8(shown[row]["image"])
        assert np.array_equal(panel(picture, row, 0), image)
        with torch.no_grad():
            segmentation = network.eval().classify_and_segment(shown[row]["image"][None])[1]
        guess = segmentation[0].argmax(0).to(torch.uint8).numpy()
        assert np.array_equal(panel(picture, row, 3), colour_labels(guess, image))


def test_given_labels_are_shown_instead_of_made_ones(scenes, tmp_path):
    chosen, path = of_split(scenes[1], "train")[:2], tmp_path / "labels.h5"
    with StoreWriter(path, "labels", SCENE_CLASSES, {}) as writer:
        for entry in chosen:
            writer.write(entry.image_id, np.full((SIDE, SIDE), 2, np.uint8))
    given = TrainingSet(chosen, SCENE_CLASSES, SIDE, (SIDE, SIDE), 0, labels=path)
    picture = TrainingPicture(given, Labelling(), None)(tiny_network())
    for row in range(2):
        labels, image = np.full((SIDE, SIDE), 2, np.uint8), to_uint8(given[row]["image"])
        assert np.array_equal(panel(picture, row, 2), colour_labels(labels, image))


def test_drawing_leaves_network_and_random_numbers_as_they_are(scenes):
    network = tiny_network(drop_path_rate=0.2).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    draw = TrainingPicture(samples(scenes), Labelling(), 0.5)
    assert np.array_equal(draw(network), draw(network))
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_every_epoch_has_a_picture_in_tensorboard_and_trains_the_same(scenes, tmp_path):
    plain = trainer(scenes, tmp_path / "plain").run()
    drawn = trainer(scenes, tmp_path / "drawn")
    drawn.draw = TrainingPicture(samples(scenes), drawn.objective.labelling, 0.5)
    assert same_but_for_speed(drawn.run()) == same_but_for_speed(plain)
    events = EventAccumulator(str(Path(tmp_path / "drawn/events")))
    events.Reload()
    assert [event.step for event in events.Images("training images")] == [5, 10, 15]
    assert [event.step for event in events.Scalars("loss/saliency")] == [5, 10, 15]
