"""AFA's objective, from images to loss: read a step of training from here to the end of the file.

The network first learns to classify. Then maps of several views become reliable labels, from which
it learns the affinity of its patches and to segment; later it learns to segment from maps that this
affinity has propagated (Ru et al. 2022, Section 3). No gradient flows through maps and labels.

Shapes: B images, C foreground classes, K classes of the image with the most, N = h * w patches,
H, W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from getam_core.activation import SCALES, Located, affinity_from, affinity_of, located, record
from getam_core.classes import IGNORE
from getam_core.labels import by_image, scores_over, threshold_labels
from getam_core.refine.affinity import RADIUS, affinity_loss, affinity_targets, cells_of, propagate
from getam_core.resizing import resize_tensor
from getam_core.training.getam import (
    CLASSIFICATION,
    Batch,
    BatchObjective,
    Labelling,
    label_batch,
    map_pass,
)
from getam_core.training.losses import (
    Count,
    alone,
    classification_loss,
    segmentation_losses,
)
from getam_core.training.pixel_scores import pixel_scores

# Names in metrics.csv of the phases after classification: reliable labels; propagated ones.
RELIABLE, PROPAGATED = "reliable", "propagated"


@dataclass(frozen=True)
class Recipe:
    """How AFA's labels are made.

    Attributes
    ----------
    labelling : Labelling
        The method of maps, and arguments of `label_images`. AFA's maps are "afa", labelled by
        "thresholds"; any other choice of either combines two methods.
    radius : int
        Of the window of affinities, in cells.
    scales, flip
        Views of the maps "afa"; the largest scale gives the affinity that propagates maps.
    balanced : bool
        Whether pairs of one class and pairs of background have separate means in the affinity loss.
    """

    labelling: Labelling = field(default_factory=lambda: Labelling(method="afa"))
    radius: int = RADIUS
    scales: Sequence[float] = SCALES
    flip: bool = True
    balanced: bool = False


class Afa(BatchObjective):
    """The loss of a batch, as the loop expects it (`plan.Objective`).

    Parameters
    ----------
    network, recipe
        See `afa_step`.
    weights : mapping
        Of the terms, by name.
    steps_per_epoch : int
        Steps, which AFA calls iterations.
    classification_steps : int
        Number of first steps in which the network only learns to classify.
    propagation_steps : int
        Step from which segmentation learns from propagated maps.
    saliency_threshold : float or None
        Values above it are salient; None for labels without saliency.
    count : Count
        See `losses.Count`.
    """

    terms = ("classification", "segmentation", "affinity")

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        weights: Mapping[str, float],
        *,
        steps_per_epoch: int,
        classification_steps: int,
        propagation_steps: int,
        saliency_threshold: float | None = None,
        count: Count = alone,
    ):
        super().__init__()
        self.network, self.recipe, self.weights = network, recipe, weights
        self.steps_per_epoch, self.classification_steps = steps_per_epoch, classification_steps
        self.propagation_steps, self.saliency_threshold = propagation_steps, saliency_threshold
        self.count = count

    def phase(self, epochs: float) -> str:
        """Return the phase after this many epochs."""
        step = round(epochs * self.steps_per_epoch)
        if step < self.classification_steps:
            return CLASSIFICATION
        return RELIABLE if step < self.propagation_steps else PROPAGATED

    def forward(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor]:
        """Return the loss with its graph, and detached, the loss and then the terms in order."""
        if phase == CLASSIFICATION:
            terms = classification_terms(self.network, batch, self.count)
        else:
            propagated = phase == PROPAGATED
            terms, _ = afa_step(
                self.network, batch, self.recipe, propagated=propagated, count=self.count
            )
        loss = sum(self.weights[name] * terms[name] for name in self.terms)
        return loss, torch.stack([loss, *(terms[name] for name in self.terms)]).detach()


def classification_terms(
    network: nn.Module, batch: Batch, count: Count = alone
) -> dict[str, Tensor]:
    """Compute the classification loss alone; the other terms are zero."""
    loss = classification_loss(network(batch.images), batch.targets, batch.counted, count)
    zero = loss.new_zeros(())
    return {"classification": loss, "segmentation": zero, "affinity": zero}


def afa_step(
    network: nn.Module, batch: Batch, recipe: Recipe, *, propagated: bool, count: Count = alone
) -> tuple[dict[str, Tensor], Tensor]:
    """Make the terms of a step, and the label maps (B, H, W) that segmentation learns from.

    Parameters
    ----------
    network : nn.Module
        With `classify_and_segment`, `grid`, `stride`, `affinity` and, for AFA's maps, `locate`.
    propagated : bool
        Whether segmentation learns from maps that affinity has propagated; affinity itself always
        learns from reliable labels.
    count : Count
        Gives the divisors that turn sums into means; see `losses.Count`.
    """
    with record(network, prefix=network.num_prefix_tokens, keep_graph=True) as tape:
        logits, segmentation = network.classify_and_segment(batch.images)
    affinity = affinity_from(network, tape)

    found = map_views(network, batch, recipe)
    reliable = label_batch(batch, found.maps, recipe.labelling.labels)
    learned = propagated_labels(batch, found, recipe) if propagated else reliable

    grid = network.grid(batch.images.shape[-2:])
    pairs = affinity_targets(reliable, grid, recipe.radius)
    objects = cells_of(reliable, grid) > 0 if recipe.balanced else None
    foreground, background = segmentation_losses(
        pixel_scores(segmentation, learned), learned, count
    )
    terms = {
        "classification": classification_loss(logits, batch.targets, batch.counted, count),
        "segmentation": (foreground + background) / 2,
        "affinity": affinity_loss(affinity, pairs, count, objects),
    }
    return terms, learned


def map_views(network: nn.Module, batch: Batch, recipe: Recipe) -> Located:
    """Make maps at the size of the images, from 0 to 1, and the affinity of the largest view."""
    images, size = batch.images, batch.images.shape[-2:]
    if recipe.labelling.method == "afa":
        views = {"scales": recipe.scales, "flip": recipe.flip}
        return located(network, images, batch.targets, size=size, check=False, **views)
    maps = resize_tensor(map_pass(network, batch, recipe.labelling), size)
    peaks = maps.amax((1, 2), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
    affinity, grid = affinity_of(network, images, max(recipe.scales))
    return Located(maps / peaks, affinity, grid)


@torch.no_grad()
def propagated_labels(batch: Batch, found: Located, recipe: Recipe) -> Tensor:
    """Label every image of the batch after propagation: (B, H, W) uint8, padding is 255.

    AFA propagates scores, the softmax over maps and background; for labels of another kind, the
    maps themselves are propagated.
    """
    counts, arguments = batch.targets.sum(1).tolist(), recipe.labelling.labels
    maps = resize_tensor(by_image(found.maps, counts), found.grid)  # smooth: no aliasing
    if arguments.get("method") != "thresholds":
        carried = propagate(found.affinity, maps, recipe.radius)
        own = [of_image[:count] for of_image, count in zip(carried, counts, strict=True)]
        return label_batch(batch, torch.cat(own), arguments)
    scores = [
        propagate(found.affinity, scores_over(maps, counts, threshold), recipe.radius)
        for threshold in arguments["thresholds"]
    ]
    ids = by_image(batch.targets.nonzero()[:, 1] + 1, counts)
    refining = {key: arguments[key] for key in ("refinement", "iterations", "scale")}
    labels = threshold_labels(batch.images, *scores, ids, **refining)
    return labels.masked_fill(~batch.valid, IGNORE)
