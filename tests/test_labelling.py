import inspect

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from getam_core.classes import SCENE_CLASSES
from getam_core.data import Entry, of_split
from getam_core.errors import InputError
from getam_core.labels import (
    complete_labels,
    crf_labels,
    export_labels,
    label_image,
    label_images,
    label_refined,
    read_label_inputs,
    refine_maps,
)
from getam_core.processes import Workers
from getam_core.refine import crf_maps, pamr, par
from getam_core.scenes import write_scenes
from getam_core.settings.labels import ExportedLabelSettings
from getam_core.stores import StoreWriter, open_store, read_maps, write_maps
from tests.voc_kit import entries_of

GENERATOR = torch.Generator().manual_seed(0)
IMAGE = torch.rand(3, 24, 40, generator=GENERATOR)
MAPS = torch.rand(2, 3, 5, generator=GENERATOR)
IDS = torch.tensor([2, 5])


def test_refined_maps_are_completed_at_the_size_of_the_image():
    refined = pamr(IMAGE[None], MAPS[None], iterations=3)[0]
    expected = complete_labels(refined, IDS, None, gamma=4.0)
    assert torch.equal(label_image(IMAGE, MAPS, IDS, None, iterations=3, gamma=4.0), expected)


def test_saliency_counts_from_a_low_value_where_the_maps_agree_and_from_a_high_one_elsewhere():
    maps = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])  # a class in the upper half
    saliency = torch.tensor([[0.3, 0.2], [0.7, 0.8]])
    agreed = {"gamma": 2.0, "inside": 0.25, "outside": 0.75}
    numbers = {"gamma": 2.0, "alpha": 1.0}
    image, ids = torch.zeros(3, 2, 2), torch.tensor([3])
    labels = label_refined(image, maps, ids, saliency, agreed_saliency=agreed, **numbers)
    salient = torch.tensor([[True, False], [False, True]])
    assert torch.equal(labels, label_refined(image, maps, ids, salient, **numbers))
    assert labels.tolist() == [[3, 0], [0, 255]]


def test_without_refinement_maps_are_resized_as_they_are():
    resized = torch.nn.functional.interpolate(MAPS[None], (24, 40), mode="bilinear")[0]
    expected = complete_labels(resized, IDS, None)
    assert torch.equal(label_image(IMAGE, MAPS, IDS, None, refinement="none"), expected)


@pytest.mark.parametrize(
    "changes", [{"gamma": 2.0}, {"alpha": 0.3}, {"conflicts": False}, {"opening": 5}]
)
def test_settings_reach_completion(changes):
    maps = MAPS**4  # low enough for a background
    resized = torch.nn.functional.interpolate(maps[None], (24, 40), mode="bilinear")[0]
    salient = None if "gamma" in changes else IMAGE[0] > 0.5
    usual = {"alpha": 0.5}  # at which both classes claim some pixels
    labels = label_image(IMAGE, maps, IDS, salient, refinement="none", **usual | changes)
    assert torch.equal(labels, complete_labels(resized, IDS, salient, **usual | changes))
    assert not torch.equal(labels, complete_labels(resized, IDS, salient, **usual))


@pytest.mark.parametrize("refinement", ["pamr", "par", "crf"])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_iterations_scale_and_gamma_reach_the_refinement(refinement, scale):
    options = {"iterations": 3, "gamma": 5.0, "scale": scale}
    got = refine_maps(IMAGE[None], MAPS[None], refinement=refinement, **options)
    small = F.interpolate(IMAGE[None], scale_factor=scale, mode="area")
    if refinement == "crf":
        size = tuple(small.shape[2:])
        rough = F.interpolate(MAPS[None], size, mode="bilinear")[0].numpy()
        image = np.round(255 * small[0].permute(1, 2, 0).numpy()).astype(np.uint8)
        smooth = crf_maps(image, rough, gamma=5.0, iterations=3)[1:]
        refined = torch.from_numpy(smooth)[None]
    else:
        refined = {"pamr": pamr, "par": par}[refinement](small, MAPS[None], iterations=3)
    torch.testing.assert_close(got, F.interpolate(refined, (24, 40), mode="bilinear"))


def test_labels_after_refinement_by_crf_have_its_background():
    options = {"refinement": "crf", "iterations": 3, "gamma": 2.0}
    refined = refine_maps(IMAGE[None], MAPS[None], **options)[0]
    expected = complete_labels(refined, IDS, None, gamma=2.0)
    assert torch.equal(label_image(IMAGE, MAPS, IDS, None, **options), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refinement": "PAMR"}, "refinement 'PAMR': expected pamr, par, crf or none"),
        ({"method": "CRF"}, "method 'CRF': expected completion or crf"),
        ({"iterations": -1}, "iterations of 0 or more"),
    ],
)
def test_wrong_names_and_numbers_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        label_image(IMAGE, MAPS, IDS, None, **options)


def test_the_smallest_scale_leaves_a_pixel():
    assert label_image(IMAGE, MAPS, IDS, None, scale=0.01).shape == (24, 40)


def defaults(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


@pytest.mark.parametrize(
    "function", [complete_labels, crf_labels, label_images, refine_maps, label_refined, pamr, par]
)
def test_a_function_s_defaults_are_those_of_the_settings(function):
    settings = ExportedLabelSettings()
    for name, default in defaults(function).items():
        if name != "dilations":
            assert default == getattr(settings, {"gammas": "crf_gammas"}.get(name, name)), name


@pytest.fixture
def one_image(tmp_path):
    """An image, a store of its maps and a store of its saliency, whose size is the argument."""
    image = (255 * IMAGE.permute(1, 2, 0).numpy()).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)

    def stores(size=(24, 40), salient=(24, 40)):
        with (
            StoreWriter(tmp_path / "maps.h5", "maps", SCENE_CLASSES, {}) as maps,
            StoreWriter(tmp_path / "saliency.h5", "saliency", SCENE_CLASSES, {}) as saliency,
        ):
            write_maps(maps, "a", MAPS.numpy(), IDS.numpy(), size=size)
            rng = np.random.default_rng(0)
            saliency.write("a", rng.integers(0, 256, salient).astype(np.uint8))
        return open_store(tmp_path / "maps.h5"), open_store(tmp_path / "saliency.h5")

    return Entry("a", tmp_path / "a.png", "train", ()), stores


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_the_threshold_says_what_is_salient(threshold, one_image, tmp_path):
    entry, stores = one_image
    maps, saliency = stores()
    with StoreWriter(tmp_path / "labels.h5", "labels", SCENE_CLASSES, {}) as writer:
        export_labels(
            [entry], maps, saliency, writer,
            saliency_threshold=threshold, workers=Workers(1), refinement="none",
        )  # fmt: skip
    got = open_store(tmp_path / "labels.h5")["a"]
    resized = F.interpolate(
        torch.from_numpy(read_maps(maps, "a").maps)[None], (24, 40), mode="bilinear"
    )
    expected = complete_labels(resized[0], IDS, torch.from_numpy(saliency["a"]) > 255 * threshold)
    np.testing.assert_array_equal(got, expected.numpy())


@pytest.mark.parametrize("sizes", [{"size": (40, 24)}, {"salient": (24, 41)}])
def test_stores_of_an_image_of_another_size_are_refused_with_its_name(sizes, one_image):
    entry, stores = one_image
    maps, saliency = stores(**sizes)
    with pytest.raises(InputError, match=r"\.h5: image 'a' was .* px .*a\.png has 24 x 40"):
        read_label_inputs(entry, maps, saliency)


def test_refinement_at_half_size_gives_labels_of_full_size():
    labels = label_image(IMAGE, MAPS, IDS, None, scale=0.5, gamma=4.0)
    assert labels.shape == (24, 40)
    full = label_image(IMAGE, MAPS, IDS, None, gamma=4.0)
    assert (labels == full).float().mean() > 0.6


@pytest.mark.parametrize("salient", [False, True])
def test_an_image_without_classes_is_background_or_unknown(salient):
    saliency = torch.full((24, 40), salient)
    labels = label_image(IMAGE, MAPS[:0], IDS[:0], saliency)
    assert labels.unique().tolist() == [255 if salient else 0]


@pytest.mark.parametrize("refinement", ["pamr", "par", "crf", "none"])
def test_a_batch_is_labelled_as_its_images_are(refinement):
    generator = torch.Generator().manual_seed(1)
    images, maps = torch.rand(5, 3, 24, 40, generator=generator), torch.rand(7, 3, 5)
    owner, ids = torch.tensor([0, 2, 2, 3, 4, 4, 4]), torch.tensor([3, 1, 2, 6, 1, 4, 5])
    saliency = torch.rand(5, 24, 40, generator=generator) > 0.5
    options = {"refinement": refinement, "iterations": 2, "scale": 0.5}
    for salient in (None, saliency):
        batch = label_images(images, maps, owner, ids, salient, **options)
        for b in range(5):
            mine, known = owner == b, None if salient is None else salient[b]
            alone = label_image(images[b], maps[mine], ids[mine], known, **options)
            assert torch.equal(batch[b], alone)


def test_two_processes_write_what_one_writes(tmp_path):
    write_scenes(tmp_path, train=9, val=2, size=32, seed=0)
    entries = of_split(entries_of(tmp_path, SCENE_CLASSES), "train")
    rng = np.random.default_rng(0)
    with (
        StoreWriter(tmp_path / "maps.h5", "maps", SCENE_CLASSES, {}) as maps,
        StoreWriter(tmp_path / "saliency.h5", "saliency", SCENE_CLASSES, {}) as saliency,
    ):
        for entry in entries:
            ids = [SCENE_CLASSES.index(name) + 1 for name in entry.classes]
            write_maps(maps, entry.image_id, rng.random((len(ids), 4, 4)), ids, size=(32, 32))
            saliency.write(entry.image_id, rng.integers(0, 256, (32, 32), np.uint8))
    for workers in (1, 2):
        path = tmp_path / f"labels{workers}.h5"
        with (
            StoreWriter(path, "labels", SCENE_CLASSES, {}) as writer,
            Workers(workers) as some,
        ):
            export_labels(
                entries,
                open_store(tmp_path / "maps.h5"),
                open_store(tmp_path / "saliency.h5"),
                writer,
                saliency_threshold=0.5,
                workers=some,
                gamma=4.0,
            )
    one, two = (open_store(tmp_path / f"labels{workers}.h5") for workers in (1, 2))
    assert one.ids() == two.ids() == [entry.image_id for entry in entries]
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert any((one[name] > 0).any() for name in one)
