import numpy as np
import pytest
import torch

from getam_core.classes import IGNORE
from getam_core.training import pixel_scores as module
from getam_core.training.losses import (
    Terms,
    classification_loss,
    saliency_loss,
    segmentation_losses,
)
from getam_core.training.pixel_scores import pixel_scores

RNG = np.random.default_rng(0)


def log_softmax(scores):
    shifted = scores - scores.max(axis=0)
    return shifted - np.log(np.exp(shifted).sum(axis=0))


def both_losses(segmentation, labels):
    return segmentation_losses(pixel_scores(segmentation, labels), labels)


def of_saliency(segmentation, labels, *arguments):
    return saliency_loss(pixel_scores(segmentation, labels), labels, *arguments)


def test_foreground_and_background_are_means_of_their_own():
    scores = RNG.normal(size=(2, 4, 5, 6))
    labels = RNG.choice([0, 1, 2, 3, 255], size=(2, 5, 6))
    picked = {True: [], False: []}
    for b, y, x in np.ndindex(labels.shape):
        label = labels[b, y, x]
        if label != 255:
            picked[label > 0].append(-log_softmax(scores[b, :, y, x])[label])
    foreground, background = both_losses(torch.tensor(scores), torch.tensor(labels))
    assert foreground.item() == pytest.approx(np.mean(picked[True]), rel=1e-5)
    assert background.item() == pytest.approx(np.mean(picked[False]), rel=1e-5)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_labels_of_one_kind_alone_give_finite_losses_and_gradients(value):
    scores = torch.randn(1, 3, 4, 4, requires_grad=True)
    foreground, background = both_losses(scores, torch.full((1, 4, 4), value))
    (foreground + background).backward()
    assert torch.isfinite(scores.grad).all()
    assert (foreground > 0, background > 0) == (value == 1, value == 0)


def test_saliency_is_the_cross_entropy_of_the_background_probability():
    scores = RNG.normal(size=(2, 4, 5, 6))
    labels = RNG.choice([0, 255], size=(2, 5, 6))
    salient, valid = RNG.random((2, 2, 5, 6)) > 0.4
    expected = []
    for b, y, x in np.argwhere(valid & (salient | (labels != 255))):
        p = np.exp(log_softmax(scores[b, :, y, x]))[0]
        expected.append(-np.log(1 - p if salient[b, y, x] else p))
    loss = of_saliency(*map(torch.tensor, (scores, labels, salient, valid)))
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_saliency_does_not_undo_mined_pixels():
    scores = torch.zeros(1, 3, 1, 2)
    scores[:, 0] = -9.0  # both pixels are sure to be foreground
    salient, valid = torch.zeros(1, 1, 2, dtype=torch.bool), torch.ones(1, 1, 2, dtype=torch.bool)
    mined = of_saliency(scores, torch.tensor([[[2, 1]]]), salient, valid)
    unlabelled = of_saliency(scores, torch.tensor([[[0, 0]]]), salient, valid)
    assert mined < 1e-3 < 9 < unlabelled


def test_saliency_leaves_out_what_several_classes_claim():
    scores = torch.randn(1, 3, 1, 2)
    salient, valid = torch.zeros(1, 1, 2, dtype=torch.bool), torch.ones(1, 1, 2, dtype=torch.bool)
    both = of_saliency(scores, torch.tensor([[[0, 255]]]), salient, valid)
    assert torch.equal(
        both, of_saliency(scores[..., :1], torch.zeros(1, 1, 1), salient[..., :1], valid[..., :1])
    )


def test_saliency_is_exact_where_the_softmax_saturates():
    scores = torch.tensor([200.0, 0.0]).view(1, 2, 1, 1)
    valid = torch.ones(1, 1, 1, dtype=torch.bool)
    loss = of_saliency(scores, torch.tensor([[[255]]]), valid, valid)
    assert loss.item() == pytest.approx(200.0)


def test_classification_is_the_mean_binary_cross_entropy():
    logits, targets = RNG.normal(size=(3, 4)), RNG.random((3, 4)) > 0.5
    p = 1 / (1 + np.exp(-logits))
    expected = -np.mean(np.where(targets, np.log(p), np.log(1 - p)))
    everywhere = torch.ones(3, dtype=torch.bool)
    loss = classification_loss(torch.tensor(logits), torch.tensor(targets), everywhere)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    two = torch.tensor([True, True, False])  # the third is there to keep a process busy
    loss = classification_loss(torch.tensor(logits), torch.tensor(targets), two)
    alone = classification_loss(*map(torch.tensor, (logits[:2], targets[:2])), two[:2])
    assert loss.item() == pytest.approx(alone.item())


def test_the_total_weighs_each_term():
    terms = Terms(*torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]))
    weights = {"classification": 1, "foreground": 0.5, "background": 0, "saliency": 2}
    assert terms.total(weights | {"dense_energy": 0.25}).item() == 1 + 1 + 0 + 16 + 4


@pytest.mark.parametrize("classes", [1, 4])
def test_gradients_of_pixel_scores_are_those_of_their_definition(classes):
    segmentation = torch.randn(2, classes + 1, 3, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(RNG.choice([*range(classes + 1), IGNORE], size=(2, 3, 5)))
    assert torch.autograd.gradcheck(lambda x: pixel_scores(x, labels), segmentation)
    background, foreground, labelled = pixel_scores(segmentation, labels)
    assert torch.equal(background, segmentation[:, 0])
    assert torch.allclose(foreground, segmentation[:, 1:].exp().sum(1).log())
    for b, y, x in (labels != IGNORE).nonzero():
        assert labelled[b, y, x] == segmentation[b, labels[b, y, x], y, x]


def test_images_computed_together_give_the_same(monkeypatch):
    segmentation = torch.randn(3, 4, 5, 6, requires_grad=True)
    labels = torch.tensor(RNG.choice([0, 1, 2, 3, IGNORE], size=(3, 5, 6)))
    found = []
    for together in (1, 2, 3):  # a GPU computes all at once
        monkeypatch.setattr(module, "_together", lambda _, together=together: together)
        losses = both_losses(segmentation, labels)
        found.append(torch.autograd.grad(sum(losses), segmentation)[0])
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_logits_of_pixels_that_do_not_count_may_be_infinite():
    scores, labels = torch.randn(1, 3, 1, 2), torch.tensor([[[1, IGNORE]]])
    finite = both_losses(scores, labels)
    scores[0, 2, 0, 1] = torch.inf
    assert both_losses(scores, labels) == finite


def test_logits_in_half_precision_get_precise_losses_and_gradients():
    rough = (8 * torch.randn(2, 4, 6, 6)).bfloat16().requires_grad_()
    precise = rough.detach().float().requires_grad_()
    labels = torch.randint(4, (2, 6, 6))
    losses = [sum(both_losses(segmentation, labels)) for segmentation in (rough, precise)]
    sum(losses).backward()
    assert torch.equal(*losses)
    assert rough.grad.dtype == torch.bfloat16
    assert torch.equal(rough.grad, precise.grad.bfloat16())
