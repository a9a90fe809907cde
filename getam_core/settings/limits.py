"""What a stage asks a cluster for: minutes and memory, by the settings and the number of images.

These are limits, not forecasts: a job that ends early costs nothing, one that is ended too early is
repeated with more (`attempt`). The rates are some three times what docs/scale.md measured on a
core, and what a GPU of 2017 is taken to do with a ViT-B.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from getam_core.settings.sections import Settings

NATIVE = 0.2  # megapixels of a photograph of PASCAL VOC or MS COCO
START = 15  # minutes until a job has imported everything, and for what does not grow
UNKNOWN_IMAGES = 10_000  # where none are listed yet


class Work(NamedTuple):
    """Megapixels of a job, and seconds of each, on a GPU and on a core."""

    megapixels: float
    on_gpu: float
    on_core: float


def _train(settings: Settings, images: int) -> Work:
    train = settings.train
    return Work(images * train.epochs * _square(train.crop_size), 2.0, 60.0)


def _train_saliency(settings: Settings, _images: int) -> Work:
    saliency = settings.saliency
    pairs = 10_553  # of DUTS-TR; a folder is not listed for this
    return Work(pairs * saliency.epochs * _square(saliency.scale_range[1]), 0.3, 8.0)


def _retrain(settings: Settings, _images: int) -> Work:
    deeplab = settings.deeplab
    return Work(deeplab.iterations * deeplab.batch_size * _square(deeplab.crop_size), 1.0, 40.0)


def _saliency(settings: Settings, images: int) -> Work:
    return Work(images * _square(settings.saliency.size), 0.3, 8.0)


def _maps(settings: Settings, images: int) -> Work:
    maps = settings.maps
    size = maps.size or settings.model.image_size
    passes = sum(_square(scale) * 1e6 for scale in maps.scales) * (1 + maps.flip)
    return Work(images * passes * _square(size), 2.0, 60.0)


def _predict(settings: Settings, images: int) -> Work:
    predict = settings.predict
    sizes = [_square(size) if size else NATIVE for size in predict.sizes]
    smoothed = 10 * NATIVE * predict.crf  # a CRF is as dear as ten passes
    return Work(images * (sum(sizes) * (1 + predict.flip) + smoothed), 1.0, 20.0)


def _predict_deeplab(settings: Settings, images: int) -> Work:
    test = settings.deeplab_test
    passes = sum(scale**2 for scale in test.scales) * (1 + test.flip) + 10 * test.crf
    return Work(images * passes * NATIVE, 1.0, 20.0)


def _labels(_settings: Settings, images: int) -> Work:
    return Work(images * NATIVE, 15.0, 15.0)


def _sweep(settings: Settings, images: int) -> Work:
    count = min(images, settings.ablation.images or images)
    return Work(count * NATIVE * 8, 15.0, 15.0)  # a grid of labels


def _checked(_settings: Settings, images: int) -> Work:
    return Work(images * NATIVE, 0.5, 0.5)


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
    "predict": _predict,
    "network_labels": _predict,
    "retrain_deeplab": _retrain,
    "predict_deeplab": _predict_deeplab,
}
TRAININGS = {"train", "train_classifier", "train_saliency", "retrain_deeplab"}
ON_GPU = set(STAGES) - {"prepare_data", "check_masks", "pseudo_labels", "ablation"}


def minutes(stage: str, settings: Settings, *, images: int, threads: int, attempt: int) -> int:
    """Return the time limit of a job of `images` images, rounded up to a quarter of an hour.

    A training on `gpus` GPUs takes a share of the time on each; what computes on a CPU, or beside
    the GPU, has `threads` cores.
    """
    work = STAGES[stage](settings, images)
    on_gpu = settings.device != "cpu" and stage in ON_GPU
    shares = (settings.gpus if stage in TRAININGS else 1) if on_gpu else threads
    seconds = work.megapixels * (work.on_gpu if on_gpu else work.on_core) / shares
    return 15 * math.ceil(attempt * (START + seconds / 60) / 15)


def megabytes(stage: str, *, images: int, threads: int, attempt: int) -> int:
    """Return the memory limit of a job: of its processes, and 2 kB for each image of the list."""
    start, of_a_process = (8_000, 1_500) if stage in ON_GPU else (2_000, 1_000)
    return attempt * (start + of_a_process * threads + images // 500)


def _square(side: float) -> float:
    return side**2 / 1e6
