"""What the loop makes of its plan: rates, modes, the gradient's norm, decay and number format."""

from dataclasses import replace
from itertools import chain, count
from types import SimpleNamespace

import pytest
import torch

from getam_core.training.batches import Order
from tests.networks import tiny_network
from tests.training_kit import PLAN, trainer

TWO_EPOCHS = replace(PLAN, epochs=2)
ONE_STEP = {"images": PLAN.batch_size, "validate": lambda network: None}


def weights_of(own):
    return torch.cat([parameter.detach().flatten() for parameter in own.network.parameters()])


def test_every_step_of_the_run_has_a_rate_of_its_own(scenes, tmp_path):
    own, steps = trainer(scenes, tmp_path, plan=TWO_EPOCHS, **ONE_STEP | {"images": 16}), []
    own.schedule = SimpleNamespace(apply=lambda optimizer, step: steps.append(step))
    own.run()
    assert steps == [0, 1, 2, 3]


def test_steps_are_in_training_mode_and_validation_in_evaluation_mode(scenes, tmp_path):
    model, steps, validated = tiny_network(), [], []

    def validate(network):
        validated.append(network.training or network.vit.training)

    own = trainer(scenes, tmp_path, model=model, plan=TWO_EPOCHS, images=8, validate=validate)
    model.vit.blocks[0].register_forward_hook(lambda block, *_: steps.append(block.training))
    own.run()
    assert (steps, validated) == ([True, True], [False, False])


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_gradient_is_clipped_to_the_norm_of_the_plan(scenes, tmp_path, precision):
    plan = replace(PLAN, epochs=1, optimizer="sgd", weight_decay=0.0, precision=precision)
    moved = {}
    for clip in (None, 0.1):
        own = trainer(
            scenes, tmp_path / str(clip), plan=replace(plan, gradient_clip=clip), **ONE_STEP
        )
        before = weights_of(own).double()
        own.run()
        moved[clip] = ((weights_of(own).double() - before).norm() / own.rows[0]["lr"]).item()
    assert moved[None] > 0.2
    assert moved[0.1] == pytest.approx(0.1, rel=0.01)


def test_weights_decay_as_the_plan_says(scenes, tmp_path):
    plan = replace(PLAN, weight_decay=0.25)
    groups = trainer(scenes, tmp_path, plan=plan).updater.optimizer.param_groups
    assert {group["weight_decay"] for group in groups} == {0.25, 0.0}


def test_a_forward_pass_has_the_number_format_of_the_plan(scenes, tmp_path):
    found = {}
    for precision in ("float32", "bfloat16"):
        model, formats = tiny_network(), set()
        plan = replace(PLAN, epochs=1, precision=precision)
        own = trainer(scenes, tmp_path / precision, model=model, plan=plan, **ONE_STEP)
        hook = model.vit.blocks[0].mlp.fc1.register_forward_hook
        hook(lambda _module, _inputs, output, formats=formats: formats.add(output.dtype))
        own.run()
        found[precision] = formats
    assert found == {"float32": {torch.float32}, "bfloat16": {torch.bfloat16}}


def test_the_order_of_the_images_is_of_the_seed_and_the_epoch():
    orders = [Order(seed, 4).batches(50, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(chain(*batches)) == list(range(50)) for batches in orders)
    assert len({str(batches) for batches in orders}) == 4
    assert orders[3] == Order(1, 4).batches(50, 1)


@pytest.mark.parametrize(("images", "steps", "full"), [(8, 2, 2), (10, 3, 2), (3, 1, 1)])
def test_a_last_batch_is_left_out_where_it_is_smaller_than_others(images, steps, full):
    assert Order(0, 4).steps(images) == steps
    assert Order(0, 4, drop_last=True).steps(images) == full


@pytest.mark.parametrize(
    ("epochs", "second_half", "every", "validated"),
    [(3, 2, 10, [2, 3]), (4, 4, 3, [3, 4]), (3, 1, 2, [1, 2, 3])],
)
def test_validation_is_due_every_so_often_and_at_the_end_of_each_half(
    scenes, tmp_path, epochs, second_half, every, validated
):
    plan = replace(PLAN, epochs=epochs, second_half=second_half, validate_every=every)
    rows = trainer(scenes, tmp_path, plan=plan, images=8, validate=lambda network: 50.0).run()
    assert [row["epoch"] for row in rows if row["val_class_map"] is not None] == validated


def test_a_state_is_saved_after_so_many_minutes(scenes, tmp_path, monkeypatch):
    seconds, saved = count(0, 30), []
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("getam_core.training.loop.time", clock)
    plan = replace(PLAN, epochs=1, checkpoint_minutes=1.0)
    own = trainer(scenes, tmp_path, plan=plan, **ONE_STEP | {"images": 32})
    own._save = lambda **_: saved.append((own.epoch, own.step))
    own.run()
    assert saved == [(0, 3), (0, 4), (1, 0)]  # then before validation, and after the epoch
