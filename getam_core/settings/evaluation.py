"""The sections of testing and comparing: predictions, figures, sweeps."""

from typing import Annotated, Literal

from pydantic import Field

from getam_core.settings.base import Count, Distinct, Exponent, Fraction, Section
from getam_core.settings.maps import Method


class PredictSettings(Section):
    """The segmentation head at test time."""

    sizes: Annotated[tuple[Count | None, ...], Field(min_length=1)] = (None,)
    """Long sides of the image, px; `null` is its own. The logits are averaged. The authors test at
    256, 320 and 480."""
    flip: bool = True
    """Whether to average with the mirrored image."""
    crf: bool = False
    """Whether a dense CRF follows."""
    crf_recipe: Literal["getam", "afa"] = "getam"
    """Parameters of the dense CRF: those of GETAM's authors at test time, or of AFA's."""


class EvaluateSettings(Section):
    """What `miou.json` compares. Pseudo labels (train) and predictions (val) are always scored."""

    seeds: Annotated[tuple[Method, ...], Distinct] = ("getam", "grad_cam", "cam_ignore")
    """Methods whose maps are scored as they are, on train, at their best background threshold. May
    be empty. `ts_cam` and `cnn_cam` train a network of their own."""
    network_labels: bool = False
    """Whether to score `pseudo_labels/network.h5`, too: the trained network's predictions for the
    training images, made as in `predict`, among the background and each image's own classes.
    `label_maps` of another run and `deeplab.labels` may name that file. See
    docs/guides/labels.md."""
    deeplabv2: bool = False
    """Whether to retrain DeepLabv2, too, and score it."""


class AblationSettings(Section):
    """Comparisons on the training images, whose masks they need, on request.

    `ablation/alpha.json`, `gamma.json`, `refinement.json` (none, PAMR, PAR, CRF) and
    `completion.json` (its parts one by one, and CRF labels) compare labels from stored maps,
    without the network; all other keys are those of `pseudo_labels`. See docs/guides/labels.md.
    `fusion.json` (the three of Fig. 7) and `blocks.json` (the last 1, 3, 6, 12 and all, by both
    couplings) compare seeds from maps that the trained network computes again, with the keys of
    `maps` and `getam`. Each has a plot.
    """

    alpha: Annotated[tuple[Fraction, ...], Distinct, Field(min_length=1)] = (
        0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0,
    )  # fmt: skip
    """Values of `pseudo_labels.alpha`, each a share."""
    gamma: Annotated[tuple[Exponent, ...], Distinct, Field(min_length=1)] = (
        2, 8, 32, 128, 512, 2048, 8192,
    )  # fmt: skip
    """Values of `pseudo_labels.gamma`, each an exponent."""
    images: Count | None = None
    """Number of training images, evenly spaced. `null`: all. A CRF takes about half a second per
    image."""
