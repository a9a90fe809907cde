"""Published figures, as data: what the tables of the papers say, in percent mIoU.

Segmentation of val by networks trained end to end, except Table 3, which is pseudo labels. "ViT" in
the first three tables is ViT-Hybrid.
"""

from typing import NamedTuple

from getam_core.classes import COCO_CLASSES, VOC_CLASSES

GETAM, AFA = "Sun et al. 2021", "Ru et al. 2022"


class Published(NamedTuple):
    """A row of a paper's table: its source, and its figures by split."""

    source: str
    val: float
    train: float | None = None


PUBLISHED = {
    ("voc", "table1"): {
        "CNN + CAM": Published(f"{GETAM}, Table 1", 64.7),
        "TS-CAM": Published(f"{GETAM}, Table 1", 49.7),
        "CAM": Published(f"{GETAM}, Table 1", 55.3),
        "Grad-CAM": Published(f"{GETAM}, Table 1", 62.5),
        "Attention x Gradient": Published(f"{GETAM}, Table 1", 69.1),
        "GETAM": Published(f"{GETAM}, Table 1", 71.7),
        "AFA": Published(AFA, 66.0),
    },
    ("voc", "table2"): {
        "CNN + CAM, CRF labels": Published(f"{GETAM}, Table 2", 62.6),
        "CNN + CAM, completion": Published(f"{GETAM}, Table 2", 64.7),
        "ViT + GETAM, CRF labels": Published(f"{GETAM}, Table 2", 64.0),
        "ViT + GETAM, completion": Published(f"{GETAM}, Table 2", 71.7),
    },
    ("voc", "table3"): {
        "GETAM": Published(f"{GETAM}, Table 3", 66.7, 69.6),
        "1-stage-wseg + CRF": Published(f"{GETAM}, Table 3", 65.3, 66.9),
    },
    ("voc", "table4"): {
        "ViT": Published(f"{GETAM}, Table 4", 68.1),
        "ViT-Hybrid": Published(f"{GETAM}, Table 4", 71.7),
        "DeiT": Published(f"{GETAM}, Table 4", 66.0),
        "DeiT-distilled": Published(f"{GETAM}, Table 4", 70.7),
    },
    ("coco", "table1"): {
        "GETAM": Published(f"{GETAM}, Table 6", 36.4),
        "AFA": Published(AFA, 38.9),
    },
}
IMAGES = {
    "voc": {"train": 1464, "val": 1449},
    "coco": {"train": 82783, "val": 40504},
}
CLASSES = {"voc": VOC_CLASSES, "coco": COCO_CLASSES}


def published_figures(layout: str, table: str) -> dict[str, Published]:
    """Return the published rows of a table: COCO's for COCO, VOC's for every other data set."""
    return PUBLISHED.get(("coco" if layout == "coco" else "voc", table), {})


def is_comparable(layout: str, classes: tuple[str, ...], split: str, images: int) -> bool:
    """Return whether a figure is measured on the images and classes of the published ones.

    For VOC's train these are its 1,464 images, without SBD's.
    """
    return (
        layout in IMAGES
        and tuple(classes) == tuple(CLASSES[layout])
        and images == IMAGES[layout][split]
    )
