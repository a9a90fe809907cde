"""The recipe: what is trained, on what and how, as mmengine's configuration.

The usual one for DeepLabv2 on PASCAL VOC: dilated ResNet-101 with frozen batch norm, SGD from
2.5e-4 (head x 10), momentum 0.9, decay 5e-4, poly 0.9, batch 10, crop 321, scales 0.5 to 1.5,
20,000 iterations. What a run may change is an argument; the rest is fixed here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from getam_core.classes import IGNORE, IMAGENET_MEAN, IMAGENET_STD
from getam_core.data.loader import heed_one_process

FEATURES = {18: 8, 50: 32, 101: 32}  # channels of the last stage, as multiples of the width


def network_recipe(
    *,
    num_classes: int,
    depth: int = 101,
    width: int = 64,
    dilations: Sequence[int] = (6, 12, 18, 24),
    batch_norm: str = "frozen",
    crop_size: int = 321,
) -> dict[str, Any]:
    """DeepLabv2: a ResNet at stride 8, and the sum of dilated classifiers.

    `align_corners` is exact for sides of 8 k + 1 px: feature i lies at pixel 8 i.
    """
    frozen = batch_norm == "frozen"
    return {
        "type": "EncoderDecoder",
        "data_preprocessor": {
            "type": "mmseg.SegDataPreProcessor",
            "mean": [255 * value for value in IMAGENET_MEAN],  # of RGB images, 0..255
            "std": [255 * value for value in IMAGENET_STD],
            "size": (crop_size, crop_size),  # smaller crops are padded with the mean colour
            "seg_pad_val": IGNORE,  # the loss ignores the padding
        },
        "backbone": {
            "type": "ResNet",
            "depth": depth,
            "base_channels": width,
            "stem_channels": width,
            "strides": (1, 2, 1, 1),  # the last two stages dilate instead: features at stride 8
            "dilations": (1, 1, 2, 4),
            "out_indices": (3,),
            "norm_cfg": {"type": "BN", "requires_grad": not frozen},
            "norm_eval": frozen,
        },
        "decode_head": {
            "type": "DeepLabV2Head",
            "in_channels": FEATURES[depth] * width,
            "in_index": 0,
            "num_classes": num_classes,
            "dilations": tuple(dilations),
            "align_corners": True,
            "ignore_index": IGNORE,
            "loss_decode": {"type": "CrossEntropyLoss", "avg_non_ignore": True},
        },
        "test_cfg": {"mode": "whole"},
    }


def data_recipe(
    *,
    index: Path,
    labels: Path,
    classes: Sequence[str],
    seed: int,
    batch_size: int,
    processes: int,
    workers: int,
    crop_size: int,
    scale_range: tuple[float, float],
    iterations: int,
    start: int,
) -> dict[str, Any]:
    """Crops: scaled, cropped and mirrored at random; `batch_size` is that of all processes."""
    return {
        "batch_size": batch_size // processes,
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "worker_init_fn": {"type": heed_one_process},
        "sampler": {
            "type": "DrawSampler",
            "batch_size": batch_size,
            "steps": iterations,
            "start": start,
        },
        "dataset": {
            "type": "StoredLabelDataset",
            "index": str(index),
            "labels": str(labels),
            "classes": list(classes),
            "seed": seed,
            "pipeline": [
                {"type": "mmseg.RandomScale", "scale_range": tuple(scale_range)},
                {"type": "mmseg.RandomCrop", "crop_size": (crop_size, crop_size)},
                {"type": "mmseg.RandomFlip", "prob": 0.5},
                {"type": "mmseg.PackSegInputs"},
            ],
        },
    }


def schedule_recipe(
    *,
    iterations: int,
    learning_rate: float,
    head_rate: float,
    weight_decay: float,
    bfloat16: bool,
) -> dict[str, Any]:
    """SGD with momentum and a separate rate for the head; rates fall as (1 - progress)^0.9."""
    return {
        "train_cfg": {"type": "ResumedLoop", "max_iters": iterations},
        "optim_wrapper": {
            "type": "Bfloat16OptimWrapper" if bfloat16 else "OptimWrapper",
            "optimizer": {
                "type": "SGD",
                "lr": learning_rate,
                "momentum": 0.9,
                "weight_decay": weight_decay,
            },
            "paramwise_cfg": {"custom_keys": {"decode_head": {"lr_mult": head_rate}}},
        },
        "param_scheduler": [
            {"type": "PolyLR", "power": 0.9, "eta_min": 0, "by_epoch": False, "end": iterations + 1}
        ],
    }
