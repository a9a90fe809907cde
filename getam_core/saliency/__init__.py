"""Saliency: where something stands out, whatever it is; GETAM's second cue besides the maps.

A run takes it from a folder of given maps, from the library rembg, or from a network trained
here, on images and masks of another data set. Reading order: `pairs` (that data set), `encoder`
and `network`, `loss`, `training`, `scores` and `structure` (how good it is on held-out pairs),
`providers` and `background_removal` (saliency of a run's images, written to a store).
"""

from getam_core.saliency.background_removal import rembg_saliency
from getam_core.saliency.encoder import build_encoder
from getam_core.saliency.loss import structure_loss
from getam_core.saliency.network import SaliencyNetwork, load_saliency, predict_saliency
from getam_core.saliency.pairs import find_pairs
from getam_core.saliency.providers import (
    network_saliency,
    precomputed_saliency,
)
from getam_core.saliency.scores import SaliencyScore
from getam_core.saliency.structure import structure_measure
from getam_core.saliency.training import SaliencyPlan, train_saliency

__all__ = [
    "SaliencyNetwork",
    "SaliencyPlan",
    "SaliencyScore",
    "build_encoder",
    "find_pairs",
    "load_saliency",
    "network_saliency",
    "precomputed_saliency",
    "predict_saliency",
    "rembg_saliency",
    "structure_loss",
    "structure_measure",
    "train_saliency",
]
