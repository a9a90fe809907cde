"""A diverged network: its loss ends the training, whatever the maps and labels are."""

from dataclasses import replace

import pytest
import torch

from getam_core.errors import InputError
from getam_core.training import Labelling, double_backward_step
from tests.networks import SMALL, network_of, tiny_network
from tests.test_objective import CNN, batch
from tests.training_kit import PLAN, WEIGHTS, make_scenes, trainer


def diverged(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    return model


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("getam", {}),
        ("getam", {"options": {**SMALL, "drop_path_rate": 0.2}}),
        ("attention_gradient", {}),
        ("grad_cam", {}),
        ("cam_ignore", {}),
        ("ts_cam", {"head": "ts_cam"}),
        ("cnn_cam", CNN),
    ],
)
def test_logits_of_nan_give_a_loss_of_nan(method, changes):
    model = diverged(network_of("vit", **changes).double()).train()
    outputs = double_backward_step(model, batch(), Labelling({}, {"iterations": 1}, method))
    assert outputs.terms.total(WEIGHTS).isnan()


@pytest.mark.parametrize(
    "labels", [{"refinement": "par"}, {"refinement": "crf"}, {"method": "crf"}, {"opening": 3}]
)
def test_logits_of_nan_give_a_loss_of_nan_with_every_kind_of_label(labels):
    model = diverged(network_of("vit").double()).train()
    outputs = double_backward_step(model, batch(), Labelling({}, {"iterations": 1, **labels}))
    assert outputs.terms.total(WEIGHTS).isnan()


@pytest.mark.parametrize("drop_path", [0.0, 0.2])
def test_training_names_the_loss_and_what_to_change(drop_path, tmp_path):
    scenes, model = make_scenes(tmp_path), diverged(tiny_network(drop_path_rate=drop_path))
    plan = replace(PLAN, second_half=0)
    message = r"the loss is not finite in epoch 1, .*train\.learning_rate"
    with pytest.raises(InputError, match=message):
        trainer(scenes, tmp_path, model=model, plan=plan).run()
