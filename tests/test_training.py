import logging
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torchvision
from timm import layers
from torch import nn
from torchvision.models import convnext
from torchvision.models.vision_transformer import EncoderBlock

from getam_core.checkpoint import load_checkpoint
from getam_core.classes import SCENE_CLASSES
from getam_core.errors import InputError
from getam_core.networks import make_deterministic, random_or_coupled
from getam_core.precision import number_format
from getam_core.training import Batch, Labelling, double_backward_step, write_metrics
from tests.networks import random_images, tiny_network
from tests.training_kit import CPU, LOSSES, PLAN, WEIGHTS, same_but_for_speed, trainer


def batch(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    targets = torch.zeros(3, len(SCENE_CLASSES), dtype=torch.bool)
    targets[0, [1, 4]] = targets[2, 0] = True
    valid = torch.ones(3, 32, 32, dtype=torch.bool)
    valid[:, :, 28:] = False
    return Batch(
        images=torch.rand(3, 3, 32, 32, generator=generator, dtype=dtype),
        targets=targets,
        valid=valid,
        saliency=torch.rand(3, 32, 32, generator=generator) > 0.5,
    )


class TestDoubleBackward:
    labelling = Labelling({"coupling": "head_mean", "blocks": 1}, {"gamma": 8.0, "alpha": 0.8})

    def gradients(self, model, outputs):
        model.zero_grad()
        outputs.terms.total(WEIGHTS).backward()
        return {name: parameter.grad for name, parameter in model.named_parameters()}

    def test_every_parameter_gets_a_gradient(self):
        model = tiny_network().train()
        gradients = self.gradients(model, double_backward_step(model, batch(), self.labelling))
        assert [name for name, gradient in gradients.items() if gradient is None] == []

    def test_padding_is_unknown(self):
        labels = double_backward_step(tiny_network().train(), batch(), self.labelling).labels
        assert (labels[:, :, 28:] == 255).all()
        assert (labels[:, :, :28] != 255).any()

    def test_an_image_without_classes_has_no_class_in_its_label(self):
        labels = double_backward_step(tiny_network().train(), batch(), self.labelling).labels
        assert set(labels[1].unique().tolist()) <= {0, 255}

    def test_without_saliency_there_is_no_saliency_loss_and_no_unknown_pixel(self):
        data = replace(batch(), saliency=None)
        outputs = double_backward_step(tiny_network().train(), data, self.labelling)
        assert outputs.terms.saliency == 0
        assert (outputs.labels[:, :, :28] != 255).all()

    @pytest.mark.parametrize("option", ["drop_path_rate", "proj_drop_rate", "pos_drop_rate"])
    def test_a_random_network_makes_its_maps_without_the_randomness(self, option):
        model, data = tiny_network(**{option: 0.5}).train(), batch()
        assert random_or_coupled(model)
        first = double_backward_step(model, data, self.labelling)
        second = double_backward_step(model, data, self.labelling)
        assert torch.equal(first.labels, second.labels)
        assert first.terms.classification != second.terms.classification
        assert model.training

    def test_a_network_without_randomness_shares_its_forward_pass(self):
        assert not random_or_coupled(tiny_network().train())
        assert not random_or_coupled(tiny_network(drop_path_rate=0.5).eval())
        assert random_or_coupled(torch.nn.BatchNorm2d(3).train())


def drops(rate):
    """Layers of three libraries for maps (16, 8, 4, 4) or tokens (16, 8, 16), and networks."""
    tokens, maps, images = (random_images(16, *size) for size in ((8, 16), (8, 4, 4), (3, 32, 32)))
    blocks = [convnext.CNBlockConfig(8, 8, 2), convnext.CNBlockConfig(8, None, 2)]
    return {
        "Dropout": (nn.Dropout(rate), maps),
        "Dropout2d": (nn.Dropout2d(rate), maps),
        "AlphaDropout": (nn.AlphaDropout(rate), maps),
        "MultiheadAttention": (EncoderBlock(2, 16, 32, 0.0, rate), tokens),
        "StochasticDepth": (torchvision.ops.StochasticDepth(rate, "row"), maps),
        "torchvision's DropBlock2d": (torchvision.ops.DropBlock2d(rate, 3), maps),
        "ConvNeXt": (convnext.ConvNeXt(blocks, rate, layer_scale=1.0), images),
        "DropPath": (layers.DropPath(rate), maps),
        "DropBlock2d": (layers.DropBlock2d(rate, 2), maps),
        "PatchDropout": (layers.PatchDropout(rate), tokens),
        "ViT": (tiny_network(proj_drop_rate=rate), images),
    }


@pytest.mark.parametrize("rate", [0.5, 0.0])
@pytest.mark.parametrize("name", list(drops(0.0)))
def test_passes_are_shared_where_two_of_them_agree_to_the_bit(name, rate):
    torch.manual_seed(0)
    module, x = drops(rate)[name]
    agree = torch.equal(module.train()(x), module(x))
    assert random_or_coupled(module) == (not agree) == (rate > 0)
    assert not random_or_coupled(module.eval())


class TestTrainer:
    def test_the_loss_falls_and_class_map_is_measured(self, undisturbed):
        rows, _ = undisturbed
        assert rows[1]["loss_classification"] < rows[0]["loss_classification"]
        assert [row["phase"] for row in rows] == ["classification"] * 2 + ["both"]
        assert all(0 < row["val_class_map"] <= 100 for row in rows)
        assert all(rows[2][f"loss_{term}"] > 0 for term in LOSSES)
        assert list(rows[0])[:6] == ["epoch", "step", "phase", "lr", "loss", "loss_classification"]

    def test_the_logged_rate_is_the_optimiser_s(self, scenes, tmp_path):
        def apply(optimizer, step):
            for group in optimizer.param_groups:
                group["lr"] = step / 1e5

        own = trainer(scenes, tmp_path, plan=replace(PLAN, epochs=1))
        own.schedule = SimpleNamespace(apply=apply)
        assert own.run()[0]["lr"] == (own.steps_per_epoch - 1) / 1e5

    def test_a_finished_run_is_not_trained_again(self, scenes, tmp_path):
        rows = trainer(scenes, tmp_path).run()
        assert trainer(scenes, tmp_path).run() == rows

    def test_state_of_other_settings_is_set_aside_with_the_keys_named(
        self, scenes, tmp_path, caplog
    ):
        trainer(scenes, tmp_path, settings={"train": {"epochs": 2, "seed": 0}}).run()
        with caplog.at_level(logging.WARNING):
            trainer(scenes, tmp_path, settings={"train": {"epochs": 3, "seed": 0}}).run()
        assert "train.epochs (2 before, 3 now)" in caplog.text
        assert "seed" not in caplog.text.replace("epochs", "")
        assert (tmp_path / "state.aside1.pt").exists()

    def test_a_diverged_loss_names_the_step_and_what_to_change(self, scenes, tmp_path):
        model = tiny_network()
        torch.nn.init.constant_(model.vit.head.weight, float("nan"))
        with pytest.raises(InputError, match=r"loss.*step 1; lower train\.learning_rate"):
            trainer(scenes, tmp_path, model=model).run()

    @pytest.mark.parametrize("clip", [None, 1.0])
    def test_a_gradient_that_is_not_finite_is_named_and_never_saved(self, scenes, tmp_path, clip):
        model, plan = tiny_network(), replace(PLAN, gradient_clip=clip, checkpoint_minutes=1e-9)
        steps = iter([1.0, 1.0, float("inf")])
        model.vit.head.weight.register_hook(lambda gradient: gradient * next(steps))
        with pytest.raises(InputError, match=r"the gradient is not finite in epoch 1, step 3"):
            trainer(scenes, tmp_path, model=model, plan=plan).run()
        state = load_checkpoint(tmp_path / "state.pt")
        assert state["step"] == 2
        assert all(value.isfinite().all() for value in state["model"].values())

    @pytest.mark.parametrize("precision", ["bfloat16", "float16"])
    def test_half_precision_trains_to_about_the_same_loss(
        self, scenes, undisturbed, tmp_path, precision
    ):
        rows = trainer(scenes, tmp_path, plan=replace(PLAN, precision=precision)).run()
        assert rows[-1]["loss"] == pytest.approx(undisturbed[0][-1]["loss"], rel=0.1)


def test_the_number_format_is_the_one_asked_for():
    for name in ("bfloat16", "float16", "float32"):
        assert number_format(name, CPU) == getattr(torch, name)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("release", ["newest", "before 2.9"])
def test_on_a_cpu_auto_takes_what_it_multiplies(native, release, monkeypatch):
    if release == "newest":
        known = {"amx_bf16": native}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    else:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: native)
    assert number_format("auto", CPU) == (torch.bfloat16 if native else torch.float32)


def test_metrics_leave_empty_what_was_not_measured(tmp_path):
    row = {"epoch": 1, "phase": "both", "loss": 0.123456789, "val_class_map": None}
    write_metrics(tmp_path / "metrics.csv", [row])
    header, line = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header == "epoch,phase,loss,val_class_map"
    assert line == "1,both,0.123457,"


def test_deterministic_algorithms_can_train_and_give_the_same_rows(scenes, undisturbed, tmp_path):
    try:
        make_deterministic(True)
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in (":4096:8", ":16:8")
        rows = trainer(scenes, tmp_path).run()
    finally:
        torch.use_deterministic_algorithms(False)
    assert same_but_for_speed(rows) == same_but_for_speed(undisturbed[0])
