"""Retraining of DeepLabv2 on stored label maps through mmsegmentation (Sun et al. 2021, 5.2.3).

Reading order: `recipe` (the configuration), `head`, `label_set` (images and labels), `weights` (a
backbone's initial weights), `training` and `hooks`, `network` (built, saved, loaded);
`networks.openmmlab` is how mmsegmentation is imported. No mask is opened here: with
`supervision: masks` evaluation turns them into a store of label maps.
"""

from getam_core.deeplab.head import DeepLabV2Head
from getam_core.deeplab.label_set import DrawSampler, StoredLabelDataset
from getam_core.deeplab.network import (
    TrainedDeepLab,
    build_deeplab,
    load_deeplab,
    save_deeplab,
)
from getam_core.deeplab.training import DeepLabPlan, train_deeplab, write_rows
from getam_core.deeplab.weights import check_origin, load_initial_weights

__all__ = [
    "DeepLabPlan",
    "DeepLabV2Head",
    "DrawSampler",
    "StoredLabelDataset",
    "TrainedDeepLab",
    "build_deeplab",
    "check_origin",
    "load_deeplab",
    "load_initial_weights",
    "save_deeplab",
    "train_deeplab",
    "write_rows",
]
