"""One step of the second half, against the same step with a forward pass for each of its parts."""

from dataclasses import replace

import pytest
import torch
from torch._dynamo import lookup_backend

from getam_core.activation import METHODS, maps_from, record
from getam_core.errors import InputError
from getam_core.networks import compile_parts
from getam_core.networks.compilation import COMPILES_SINCE
from getam_core.training import Batch, Getam, Labelling, double_backward_step
from getam_core.training.getam import (
    BOTH,
    CLASSIFICATION,
    classification_step,
    given_labels_step,
    label_batch,
)
from getam_core.training.losses import (
    Terms,
    classification_loss,
    saliency_loss,
    segmentation_losses,
)
from getam_core.training.pixel_scores import pixel_scores
from tests.networks import network_of, random_images

WEIGHTS = {
    "classification": 1.0,
    "foreground": 1.0,
    "background": 1.0,
    "saliency": 1.0,
    "dense_energy": 0.0,
}
CPU = torch.device("cpu")
CNN = {"name": None, "stem": {"name": "test_resnet", "max_stride": 16}}
LABELS = {"gamma": 8.0, "alpha": 0.8}


def batch():
    valid = torch.ones(3, 64, 64, dtype=torch.bool)
    valid[:, :, 56:] = False
    return Batch(
        images=random_images(3, 3, 64, 64).double(),
        targets=torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=torch.bool),
        valid=valid,
        saliency=random_images(3, 64, 64) > 0.5,
    )


def gradients(model, total):
    model.zero_grad()
    total.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def stepwise(model, data, labelling):
    """The step by definition: maps of one forward pass, the losses of another."""
    maps, _ = METHODS[labelling.method](model, data.images, data.targets, **labelling.maps)
    labels = label_batch(data, maps, labelling.labels)
    logits, segmentation = model.classify_and_segment(data.images)
    scores = pixel_scores(segmentation, labels)
    return labels, Terms(
        classification_loss(logits, data.targets, data.counted),
        *segmentation_losses(scores, labels),
        saliency_loss(scores, labels, data.saliency, data.valid),
        torch.zeros(()),
    )


def assert_same_step(model, labelling):
    data = batch()
    outputs = double_backward_step(model, data, labelling)
    found = gradients(model, outputs.terms.total(WEIGHTS))
    labels, terms = stepwise(model, data, labelling)
    assert torch.equal(outputs.labels, labels)
    assert set(labels.unique().tolist()) > {0, 255}
    for name, gradient in gradients(model, terms.total(WEIGHTS)).items():
        assert gradient is not None and found[name] is not None, name
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-12, msg=name)


@pytest.mark.parametrize("head", ["class", "pooled", "ts_cam"])
@pytest.mark.parametrize("readout", ["project", "add", "ignore"])
@pytest.mark.parametrize("kind", ["vit", "distilled", "stem"])
def test_one_forward_pass_gives_the_step_of_two(kind, readout, head):
    model = network_of(kind, readout=readout, head=head).double().train()
    assert_same_step(model, Labelling({"coupling": "head_mean"}, LABELS))


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("attention_gradient", {}),
        ("grad_cam", {}),
        ("grad_cam", {"head": "pooled"}),
        ("cam_ignore", {}),
        ("cam_add", {}),
        ("ts_cam", {"head": "ts_cam"}),
        ("cnn_cam", CNN),
    ],
)
def test_any_method_gives_the_maps_of_the_second_half(method, changes):
    model = network_of("vit", **changes).double().train()
    for module in model.modules():  # with batch statistics the two forward passes would differ
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    assert_same_step(model, Labelling({}, LABELS, method))


@pytest.mark.parametrize("labels", [{"method": "crf"}, {"refinement": "none"}])
def test_labels_of_every_kind_train(labels):
    assert_same_step(network_of("vit").double().train(), Labelling({}, LABELS | labels))


def test_salient_is_what_is_above_the_threshold():
    samples = {
        "image": torch.zeros(1, 3, 1, 3),
        "target": torch.ones(1, 1, dtype=torch.bool),
        "valid": torch.ones(1, 1, 3, dtype=torch.bool),
        "saliency": torch.tensor([[[0.25, 0.5, 0.75]]]),
    }
    found = {limit: Batch.of(samples, limit, CPU).saliency for limit in (0.2, 0.5, None)}
    assert found[None] is None
    assert found[0.2].tolist() == [[[True, True, True]]]
    assert found[0.5].tolist() == [[[False, False, True]]]


def test_float16_keeps_the_maps_of_gradients_below_its_range():
    model = network_of("vit").train()
    model.vit.head.weight.data.mul_(1e-5)
    data = replace(batch(), images=batch().images.float(), saliency=None)
    labels = {}
    for half in (False, True):
        with torch.autocast("cpu", torch.float16, enabled=half):
            labels[half] = double_backward_step(model, data, Labelling({}, LABELS)).labels
    assert set(labels[False].unique().tolist()) == {0, 1, 2, 3, 255}
    assert (labels[True] == labels[False]).double().mean() > 0.95


@pytest.mark.parametrize("kind", ["vit", "stem"])
def test_a_step_on_given_labels_equals_the_step_that_made_them(kind):
    model, data = network_of(kind).double().train(), replace(batch(), saliency=None)
    own = double_backward_step(model, data, Labelling({}, LABELS))
    wrong = own.labels.masked_fill(~data.valid, 1)  # labels in the padding are ignored
    given = given_labels_step(model, replace(data, labels=wrong))
    assert torch.equal(given.labels, own.labels)
    expected = gradients(model, own.terms.total(WEIGHTS))
    torch.testing.assert_close(gradients(model, given.terms.total(WEIGHTS)), expected)


@pytest.mark.parametrize("both", [True, False])
def test_given_labels_are_used_in_the_second_half_alone(both):
    model, data = network_of("vit").double().train(), replace(batch(), saliency=None)
    given = replace(data, labels=torch.full_like(data.valid, 2, dtype=torch.uint8))
    phase = BOTH if both else CLASSIFICATION
    _, values = Getam(model, Labelling({}, LABELS), WEIGHTS)(given, phase)
    if both:
        _, segmentation = model.classify_and_segment(data.images)
        labels = given.labels.long().masked_fill(~data.valid, 255)
        expected = torch.nn.functional.cross_entropy(segmentation.float(), labels, ignore_index=255)
        torch.testing.assert_close(values[2].float(), expected)
    assert (values[2] > 0) == both and not values[3:].any()  # neither background nor saliency


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_dense_energy_is_of_valid_pixels_and_left_out_where_it_weighs_nothing(weight):
    seen = []

    def energy(images, segmentation, valid):
        seen.append(valid)
        return segmentation.new_ones(len(images))

    weights = WEIGHTS | {"dense_energy": weight}
    objective = Getam(network_of("vit").double(), Labelling({}, LABELS), weights, energy=energy)
    loss, values = objective(batch(), BOTH)
    assert len(seen) == (weight > 0) and all(torch.equal(one, batch().valid) for one in seen)
    assert values[-1] == (weight > 0)  # the mean over images
    torch.testing.assert_close(loss.detach(), values[1:-1].sum() + weight * values[-1])


compiles = pytest.mark.skipif(torch.__version__ < COMPILES_SINCE, reason="an older torch")


class Watched:
    """A backend of torch.compile that notes which parameters its graphs compute with."""

    def __init__(self, model, backend):
        self.backend = lookup_backend(backend)
        self.names = {parameter.data_ptr(): name for name, parameter in model.named_parameters()}
        self.seen = set()

    def __call__(self, graph, inputs):
        compiled = self.backend(graph, inputs)

        def run(*tensors):
            pointers = {x.data_ptr() for x in tensors if isinstance(x, torch.Tensor)}
            self.seen |= {self.names[pointer] for pointer in pointers & set(self.names)}
            return compiled(*tensors)

        return run


def to_be_compiled(model):
    names = [name for name, _ in model.named_parameters()]
    return {name for name in names if name.startswith(("stem.", "decoder.")) or ".mlp." in name}


@compiles
@pytest.mark.parametrize(
    ("kind", "changes", "method"),
    [
        ("vit", {}, "getam"),
        ("vit", {"head": "pooled"}, "getam"),  # several backward passes through the decoder
        ("stem", {}, "getam"),
        ("vit", CNN, "cnn_cam"),
    ],
)
def test_a_compiled_network_takes_the_same_step(kind, changes, method):
    data, labelling = batch(), Labelling({}, LABELS, method)
    plain, compiled = (network_of(kind, **changes).double().train() for _ in range(2))
    watched = Watched(compiled, "aot_eager")
    compile_parts(compiled, watched)
    torch.compiler.reset()
    found = []
    for model in (plain, compiled):
        outputs = double_backward_step(model, data, labelling)
        found.append((outputs.labels, gradients(model, outputs.terms.total(WEIGHTS))))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1])
    assert watched.seen == to_be_compiled(compiled)


def test_a_torch_that_cannot_compile_is_named(monkeypatch):
    monkeypatch.setattr(torch, "__version__", type(torch.__version__)("2.8.0"))
    with pytest.raises(InputError, match=r"train\.compile: torch 2\.8\.0 cannot compile"):
        compile_parts(network_of("vit"))


@compiles
def test_all_that_a_training_runs_stays_compiled():
    model, data = network_of("vit").double().train(), batch()
    watched = Watched(model, "eager")
    compile_parts(model, watched)
    torch.compiler.reset()
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        classification_step(model, data)
        double_backward_step(model, data, Labelling({}, LABELS))
        model.classify_and_segment(data.images)
        with torch.no_grad():
            for size in ((64, 64), (64, 96), (96, 64), (128, 96)):
                watched.seen.clear()
                model.eval().classify_and_segment(random_images(2, 3, *size).double())
                assert watched.seen == to_be_compiled(model)


def test_the_pooled_logit_is_linear_in_the_mean_of_the_last_reassembled_map():
    model, images, seen = network_of("vit", head="pooled").eval(), random_images(2, 3, 64, 64), []
    model.decoder.reassemble[-1].register_forward_hook(lambda _m, _i, out: seen.append(out))
    logits = model(images)
    assert seen[0].shape == (2, 8, 2, 2)  # a stride-2 convolution of the 4 x 4 patches
    pooled = seen[0].mean((2, 3)) @ model.pooled.weight.T + model.pooled.bias
    torch.testing.assert_close(logits, pooled)
    torch.testing.assert_close(model.classify_and_segment(images)[0], logits)


def test_the_class_row_reaches_a_pooled_logit_where_the_readout_reads_the_class_token():
    last = {}
    for readout in ("project", "ignore"):
        model = network_of("vit", head="pooled", readout=readout).eval()
        images, targets = random_images(1, 3, 64, 64), torch.tensor([[True, False, False]])
        with record(model) as tape:
            logits = model(images)
        last[readout] = maps_from(tape, logits, targets, blocks=1)
    assert last["project"].any() and not last["ignore"].any()
