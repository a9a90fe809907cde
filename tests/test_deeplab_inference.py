"""Test-time scales, flips and CRF; mmsegmentation's averaging and mIoU against ours."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from getam_core.classes import IGNORE
from getam_core.data import of_split, read_index
from getam_core.deeplab import build_deeplab
from getam_core.evaluation import ConfusionMatrix
from getam_core.inference.deeplab import DeepLab, aligned
from getam_core.inference.predictions import predict_split
from getam_core.processes import Workers
from getam_core.refine import dense_crf
from getam_core.stores import StoreWriter, open_store
from tests.labelled import CLASSES, TINY, scene, write_labelled
from tests.mmsegmentation import IoUMetric, SegDataSample, SegTTAModel


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = build_deeplab(**TINY).eval()
    torch.nn.init.normal_(network.decode_head.classifiers[0].weight, std=0.3)
    return network


@pytest.mark.parametrize("flip", [False, True])
def test_probabilities_are_those_of_mmsegmentation_s_test_time_averaging(network, flip):
    image, scales = scene(0)[0], (0.5, 1.0, 1.75)
    views = []
    for scale in scales:
        height, width = (aligned(scale * side) for side in image.shape[:2])
        shrinks = height * width < image.shape[0] * image.shape[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = torch.from_numpy(cv2.resize(image, (width, height), interpolation=method))
        for mirrored in (False, True) if flip else (False,):
            views.append((resized.permute(2, 0, 1), mirrored))
    samples = []
    for pixels, mirrored in views:
        meta = {"ori_shape": image.shape[:2], "img_shape": pixels.shape[1:], "flip": mirrored}
        meta |= {"flip_direction": "horizontal" if mirrored else None, "img_path": "", "pad": 0}
        inputs = pixels.flip(-1) if mirrored else pixels
        data = network.data_preprocessor({"inputs": [inputs]}, False)["inputs"]
        sample = SegDataSample(metainfo=meta)
        # mmseg's postprocessing resizes with the head's align_corners; ours undoes cv2's resizing.
        network.align_corners = False
        with torch.no_grad():
            samples += network.postprocess_result(network.encode_decode(data, [meta]), [sample])
    merged = SegTTAModel.merge_preds(_Module(network), [samples])[0]
    ours = DeepLab(network, scales=scales, flip=flip)(image).probabilities
    mean = torch.stack([s.seg_logits.data.softmax(dim=0) for s in samples]).mean(dim=0)
    torch.testing.assert_close(ours, mean, atol=1e-6, rtol=1e-5)
    np.testing.assert_array_equal(merged.pred_sem_seg.data[0], ours.argmax(dim=0))


class _Module:
    """What `SegTTAModel.merge_preds` reads from `self`."""

    def __init__(self, network):
        self.module = network


def test_probabilities_sum_to_one_and_follow_a_mirrored_image(network):
    image = scene(1)[0]
    predictor = DeepLab(network, scales=(0.75, 1.25))
    one = predictor(image).probabilities
    assert one.shape == (3, *image.shape[:2])
    torch.testing.assert_close(one.sum(dim=0), torch.ones(image.shape[:2]))
    other = predictor(np.ascontiguousarray(image[:, ::-1])).probabilities
    torch.testing.assert_close(other.flip(-1), one, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("side", "expected"), [(1, 9), (12, 9), (14, 17), (96, 97), (321, 321)])
def test_sides_end_on_a_feature(side, expected):
    assert aligned(side) == expected


def test_predictions_are_written_with_crf_and_without(network, tmp_path):
    index, _ = write_labelled(tmp_path)
    entries = of_split(read_index(index), "train")[:3]
    predictor = DeepLab(network, flip=False)
    for workers in (1, 2):
        paths = [tmp_path / f"{name}{workers}.h5" for name in ("plain", "crf")]
        writers = [StoreWriter(path, "predictions", CLASSES, {}) for path in paths]
        with writers[0] as plain, writers[1] as crf, Workers(workers) as processes:
            predict_split(predictor, entries, plain, crf, workers=processes)
    for i, entry in enumerate(entries):
        image = scene(i)[0]
        probabilities = predictor(image).probabilities.numpy()
        expected = {"plain": probabilities, "crf": dense_crf(image, probabilities)}
        for name, values in expected.items():
            for workers in (1, 2):
                found = open_store(tmp_path / f"{name}{workers}.h5")[entry.image_id]
                np.testing.assert_array_equal(found, values.argmax(axis=0))


def test_miou_agrees_with_mmsegmentation_s_metric():
    rng = np.random.default_rng(0)
    metric = IoUMetric(iou_metrics=["mIoU"])
    metric.dataset_meta = {"classes": ("background", "a", "b", "c", "absent")}
    matrix = ConfusionMatrix(5)
    for height, width in ((30, 41), (17, 23), (64, 64)):
        mask = rng.choice([0, 1, 2, 3, IGNORE], (height, width)).astype(np.uint8)
        prediction = np.where(rng.random(mask.shape) < 0.6, mask % IGNORE, rng.integers(0, 4))
        prediction = prediction.astype(np.uint8)
        matrix.update(prediction, mask)
        sample = SegDataSample(
            pred_sem_seg=PixelData(data=torch.from_numpy(prediction)[None].long()),
            gt_sem_seg=PixelData(data=torch.from_numpy(mask)[None].long()),
        )
        metric.process({}, [sample.to_dict()])
    areas = [sum(values) for values in zip(*metric.results, strict=True)]
    theirs = IoUMetric.total_area_to_metrics(*areas)["IoU"]
    np.testing.assert_allclose(matrix.iou(), theirs, atol=1e-6)
    assert np.isnan(theirs[4]) and abs(matrix.miou() - np.nanmean(theirs)) < 1e-6
