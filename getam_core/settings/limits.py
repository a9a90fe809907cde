"""What a stage asks a cluster for: minutes and memory, by the settings and the number of images.

These are limits, not forecasts: a job that ends early costs nothing, one that is stopped too early
is repeated with more (`attempt`). On a CPU core, the rates are ten times those of docs/scale.md's
small networks, to allow for larger ones; a CRF or a label map gets three times its own time. On a
GPU, they are guesses for a ViT-B on a GPU of 2017, since none was available.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from getam_core.settings.sections import Settings

NATIVE = 0.2  # megapixels of a photograph of PASCAL VOC or MS COCO
SMOOTHED = 3.0  # core seconds for a CRF, or a label map, of such a photograph
START = 15  # minutes for imports and other work that does not grow with the images
UNKNOWN_IMAGES = 10_000  # where none are listed yet


class Work(NamedTuple):
    """Megapixels that a job's network sees, seconds for each, and core seconds beside these."""

    megapixels: float
    on_gpu: float
    on_core: float
    beside: float = 0.0


def _train(settings: Settings, images: int) -> Work:
    train = settings.train
    return Work(images * train.epochs * _square(train.crop_size), 2.0, 20.0)


def _train_saliency(settings: Settings, _images: int) -> Work:
    saliency = settings.saliency
    pairs = 10_553  # of DUTS-TR; other folders are not counted for this
    return Work(pairs * saliency.epochs * _square(saliency.scale_range[1]), 0.3, 10.0)


def _retrain(settings: Settings, _images: int) -> Work:
    deeplab = settings.deeplab
    return Work(deeplab.iterations * deeplab.batch_size * _square(deeplab.crop_size), 1.0, 20.0)


def _saliency(settings: Settings, images: int) -> Work:
    return Work(images * _square(settings.saliency.size), 0.1, 10.0)


def _maps(settings: Settings, images: int) -> Work:
    maps = settings.maps
    passes = sum(scale**2 for scale in maps.scales) * (1 + maps.flip)
    return Work(images * passes * _square(maps.size or settings.model.image_size), 0.5, 20.0)


def _predict(settings: Settings, images: int) -> Work:
    predict = settings.predict
    sizes = [_square(size) if size else NATIVE for size in predict.sizes]
    passes = sum(sizes) * (1 + predict.flip)
    return Work(images * passes, 0.2, 10.0, images * predict.crf * SMOOTHED)


def _predict_deeplab(settings: Settings, images: int) -> Work:
    test = settings.deeplab_test
    passes = sum(scale**2 for scale in test.scales) * (1 + test.flip) * NATIVE
    return Work(images * passes, 0.2, 10.0, images * test.crf * SMOOTHED)


def _labels(_settings: Settings, images: int) -> Work:
    return Work(0, 0, 0, images * SMOOTHED)


def _sweep(settings: Settings, images: int) -> Work:
    count = min(images, settings.ablation.images or images)
    return Work(0, 0, 0, 3 * count * SMOOTHED)  # a grid of labels from one refinement


def _studied(settings: Settings, images: int) -> Work:
    # At most ten variants; the matrix product takes tens of times as long as a sum.
    maps = _maps(settings, min(images, settings.ablation.images or images))
    return maps._replace(megapixels=30 * maps.megapixels)


def _checked(_settings: Settings, images: int) -> Work:
    return Work(0, 0, 0, images * 0.1)


STAGES: Mapping[str, Callable[[Settings, int], Work]] = {
    "prepare_data": _checked,
    "check_masks": _checked,
    "train_saliency": _train_saliency,
    "make_saliency": _saliency,
    "train": _train,
    "train_classifier": _train,
    "export_maps": _maps,
    "pseudo_labels": _labels,
    "ablation": _sweep,
    "compare_getam": _studied,
    "predict": _predict,
    "network_labels": _predict,
    "retrain_deeplab": _retrain,
    "predict_deeplab": _predict_deeplab,
}
TRAININGS = {"train", "train_classifier", "train_saliency", "retrain_deeplab"}
ON_GPU = set(STAGES) - {"prepare_data", "check_masks", "pseudo_labels", "ablation"}


def minutes(stage: str, settings: Settings, *, images: int, threads: int, attempt: int) -> int:
    """Return the time limit of a job of `images` images, rounded up to a quarter of an hour.

    The GPUs of a training share its time; `threads` cores share what is computed without a GPU.
    """
    work = STAGES[stage](settings, images)
    on_gpu = settings.device != "cpu" and stage in ON_GPU
    gpus = settings.gpus if stage in TRAININGS else 1
    seconds = work.megapixels * (work.on_gpu / gpus if on_gpu else work.on_core / threads)
    seconds += work.beside / threads
    return 15 * math.ceil(attempt * (START + seconds / 60) / 15)


def megabytes(stage: str, *, images: int, threads: int, attempt: int) -> int:
    """Return the memory limit of a job: of its processes, and 2 kB for each image of the list."""
    start, of_a_process = (8_000, 1_500) if stage in ON_GPU else (2_000, 1_000)
    return attempt * (start + of_a_process * threads + images // 500)


def _square(side: float) -> float:
    return side**2 / 1e6
