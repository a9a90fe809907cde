"""Saliency: where something stands out, whatever it is; GETAM's second cue beside the maps.

A run takes it from a folder of its own maps or from a network trained here, on images and masks
of another data set. Reading order: `pairs` (that data set), `network`, `loss`, `training`,
`scores` (how good it is on held-out pairs), `providers` (saliency of a run's images to a store).
"""

from getam_core.saliency.loss import structure_loss
from getam_core.saliency.network import SaliencyNetwork, load_saliency, predict_saliency
from getam_core.saliency.pairs import find_pairs
from getam_core.saliency.providers import network_saliency, precomputed_saliency
from getam_core.saliency.scores import SaliencyScore
from getam_core.saliency.training import SaliencyPlan, train_saliency

__all__ = [
    "SaliencyNetwork",
    "SaliencyPlan",
    "SaliencyScore",
    "find_pairs",
    "load_saliency",
    "network_saliency",
    "precomputed_saliency",
    "predict_saliency",
    "structure_loss",
    "train_saliency",
]
