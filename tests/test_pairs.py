"""Pairs of images and saliency masks, and crops of them."""

import cv2
import numpy as np
import pytest
import torch

from getam_core.errors import InputError
from getam_core.saliency import (
    find_pairs,
)
from getam_core.saliency.pairs import PairCrops, read_pair
from tests.salient import write_pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return find_pairs(write_pairs(tmp_path_factory.mktemp("salient"), 16))


def test_pairs_are_found_by_name_under_both_layouts(tmp_path, pairs):
    assert [image.name for image, _ in pairs] == [mask.name for _, mask in pairs]
    for images, masks in (("images", "masks"), ("DUTS-TR-Image", "DUTS-TR-Mask")):
        folder = tmp_path / images
        for name, suffix in ((images, "JPG"), (masks, "png")):
            (folder / name).mkdir(parents=True)
            (folder / name / f"a.{suffix}").touch()
            (folder / name / "readme.txt").touch()
        found = find_pairs(folder)
        assert found == [(folder / images / "a.JPG", folder / masks / "a.png")]


def test_a_folder_that_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected the folders images/ and masks/"):
        find_pairs(tmp_path)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="contains no images"):
        find_pairs(tmp_path)


def test_every_image_without_its_partner_is_named(tmp_path):
    write_pairs(tmp_path, 4)
    (tmp_path / "masks" / "01.png").unlink()
    (tmp_path / "images" / "02.png").unlink()
    with pytest.raises(InputError, match="2 problems") as error:
        find_pairs(tmp_path)
    assert "images/01.png: no mask" in str(error.value)
    assert "masks/02.png: no image" in str(error.value)


def test_two_images_of_one_name_are_refused(tmp_path):
    write_pairs(tmp_path, 1)
    (tmp_path / "images" / "00.jpg").touch()
    with pytest.raises(InputError, match="the same name"):
        find_pairs(tmp_path)


def test_a_mask_of_another_size_is_named_and_one_of_0_and_1_is_understood(tmp_path):
    pair = find_pairs(write_pairs(tmp_path, 1))[0]
    _, mask = read_pair(pair)
    assert set(np.unique(mask)) == {0, 255}
    cv2.imwrite(str(pair[1]), mask // 255)
    np.testing.assert_array_equal(read_pair(pair)[1], mask)
    cv2.imwrite(str(pair[1]), mask[:-1])
    with pytest.raises(InputError, match=r"masks.*63, 64"):
        read_pair(pair)


def test_crops_keep_image_and_mask_together_and_repeat_by_seed_and_epoch(pairs):
    def crop(epoch):
        crops = PairCrops(pairs, size=40, scale_range=(48, 80), seed=3)
        crops.set_epoch(epoch)
        return crops[2]

    image, target, valid = crop(0)
    assert image.shape == (3, 40, 40)
    assert target.shape == valid.shape == (40, 40)
    assert image.mean(0)[target > 0].mean() > image.mean(0)[target == 0].mean() + 0.3
    torch.testing.assert_close(crop(0), (image, target, valid))
    assert not torch.equal(crop(1)[0], image)
