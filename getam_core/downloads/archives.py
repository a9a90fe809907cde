"""Public data sets: where their archives are, and what must be in them.

Sizes and SHA-256 of COCO are those that TensorFlow Datasets publishes, MD5 of VOC and SBD those of
torchvision. For DUTS neither is published: only the number of files is checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Archive:
    """A file to download and to unpack.

    Attributes
    ----------
    name : str
        Of the file; .tar, .tgz or .zip.
    url : str
        Its official address.
    size : int, optional
        Bytes, where known.
    digest : (str, str), optional
        Algorithm of `hashlib`, and the hexadecimal digest.
    into : str
        Where it is unpacked, below the folder of all data.
    holds : mapping of str to int
        Folders, also below the folder of all data, and how many files each must have at least.
    """

    name: str
    url: str
    size: int | None = None
    digest: tuple[str, str] | None = None
    into: str = "."
    holds: Mapping[str, int] = field(default_factory=dict)


COCO_URL = "http://images.cocodataset.org"

DATA_SETS: dict[str, tuple[Archive, ...]] = {
    "voc": (
        Archive(
            "VOCtrainval_11-May-2012.tar",
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            size=1_999_639_040,
            digest=("md5", "6cd6e144f989b92b3379bac3b3de84fd"),
            holds={
                "VOCdevkit/VOC2012/JPEGImages": 17125,
                "VOCdevkit/VOC2012/Annotations": 17125,
                "VOCdevkit/VOC2012/SegmentationClass": 2913,
            },
        ),
    ),
    "sbd": (
        Archive(
            "benchmark.tgz",
            "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/"
            "semantic_contours/benchmark.tgz",
            digest=("md5", "82b4d87ceb2ed10f6038a1cba92111cb"),
            holds={"benchmark_RELEASE/dataset/cls": 11355},
        ),
    ),
    "coco": (
        Archive(
            "train2014.zip",
            f"{COCO_URL}/zips/train2014.zip",
            size=13_510_573_713,
            digest=("sha256", "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775"),
            into="coco",
            holds={"coco/train2014": 82783},
        ),
        Archive(
            "val2014.zip",
            f"{COCO_URL}/zips/val2014.zip",
            size=6_645_013_297,
            digest=("sha256", "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0"),
            into="coco",
            holds={"coco/val2014": 40504},
        ),
        Archive(
            "annotations_trainval2014.zip",
            f"{COCO_URL}/annotations/annotations_trainval2014.zip",
            size=252_872_794,
            digest=("sha256", "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009"),
            into="coco",
            holds={"coco/annotations": 2},
        ),
    ),
    "duts": (
        Archive(
            "DUTS-TR.zip",
            "http://saliencydetection.net/duts/download/DUTS-TR.zip",
            holds={"DUTS-TR/DUTS-TR-Image": 10553, "DUTS-TR/DUTS-TR-Mask": 10553},
        ),
    ),
}

ARCHIVES = {a.name: a for archives in DATA_SETS.values() for a in archives}
