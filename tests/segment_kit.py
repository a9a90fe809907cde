"""Networks and pictures for `getam_core.segment`, and its command as a person gives it."""

import cv2
import numpy as np
import torch
from PIL import Image

from getam_core.classes import SCENE_CLASSES
from getam_core.deeplab import build_deeplab, save_deeplab
from getam_core.networks import save_network
from getam_core.segment.command import main
from tests import labelled
from tests.networks import TINY, tiny_network

SIZES = ((40, 56), (56, 40), (33, 47))


def picture(i, size=(40, 56)):
    """Blobs of colour, so that a random network can tell places apart."""
    coarse = np.random.default_rng(i).integers(0, 256, (5, 7, 3), np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def checkpoint_in(folder):
    """Save a small transformer whose masks have several classes."""
    network = tiny_network()
    for parameter in network.decoder.parameters():
        parameter.data *= 3
    network.decoder.fusion.head[-1].bias.data.zero_()
    path = folder / "checkpoint.pt"
    save_network(path, network, TINY, SCENE_CLASSES)
    return path


def deeplab_checkpoint_in(folder):
    """Save a small DeepLabv2 whose masks have several classes."""
    torch.manual_seed(0)
    network = build_deeplab(**labelled.TINY)
    torch.nn.init.normal_(network.decode_head.classifiers[0].weight, std=0.3)
    for classifier in network.decode_head.classifiers:
        torch.nn.init.zeros_(classifier.bias)
    path = folder / "checkpoint.pt"
    save_deeplab(
        path, network, labelled.TINY, classes=labelled.CLASSES, settings={"deeplab": {}}, labels={}
    )
    return path


def photos_in(folder):
    """Save a picture of each size, 0.png to 2.png."""
    photos = folder / "photos"
    photos.mkdir()
    for i, size in enumerate(SIZES):
        Image.fromarray(picture(i, size)).save(photos / f"{i}.png")
    return photos


def segment(photos, checkpoint, out, *options):
    command = [str(photos), "--model", str(checkpoint), "-o", str(out), "--device", "cpu"]
    return main([*command, "--threads", "1", *options])


def masks_of(folder):
    return {
        path.relative_to(folder / "masks").as_posix(): np.array(Image.open(path))
        for path in sorted((folder / "masks").rglob("*.png"))
    }
