"""Made-up entries, metrics and pictures of a run, for tests of the report."""

import numpy as np

from getam_core.report import (
    Example,
)

SEED = {
    "split": "train", "what": "seed", "method": "getam", "miou": 50.0, "images": 8,
    "per_class": {"background": 70.0, "cat": 30.0, "<b>": None}, "settings": {"threshold": 0.31},
    "curve": [[0.1, 20.0], [0.31, 50.0], [0.9, None]],
}  # fmt: skip
LABELS = {
    "split": "train", "what": "pseudo_labels", "method": "getam", "miou": 60.0, "images": 8,
    "per_class": {"background": 80.0, "cat": 40.0, "<b>": None}, "miou_known": 65.0,
    "coverage": 0.931, "settings": {"alpha": 0.9, "conflicts": True, "crf": None},
}  # fmt: skip
NETWORK = {
    "split": "val", "what": "segmentation", "method": "getam", "miou": 55.0, "images": 4,
    "per_class": {"background": 75.0, "cat": 35.0, "<b>": 0.0}, "class_map": 91.2,
    "settings": {"sizes": [None, 96], "flip": False},
}  # fmt: skip
MIOU = {
    "run": "trial", "dataset": "scenes", "classes": ["cat", "<b>"],
    "entries": [NETWORK, SEED, LABELS],
}  # fmt: skip


def metric_row(epoch: int, phase: str, class_map: str) -> dict[str, str]:
    return {
        "epoch": str(epoch), "step": str(10 * epoch), "phase": phase, "lr": "0.04", "loss": "0.5",
        "loss_classification": "0.5", "loss_foreground": "0" if phase != "both" else "0.3",
        "loss_background": "", "loss_saliency": "", "images_per_second": "12.5",
        "val_class_map": class_map,
    }  # fmt: skip


METRICS = [
    metric_row(1, "classification", ""),
    metric_row(2, "both", "80"),
    metric_row(3, "both", ""),
]


def example(classes: dict[int, str], **panels) -> Example:
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    maps = {"getam": np.random.default_rng(1).random((len(classes), 3, 4))}
    return Example("made", image, classes, maps, **panels)
