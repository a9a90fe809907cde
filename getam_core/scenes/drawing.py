"""Made scenes: textured objects on natural-looking noise, for a demo that downloads nothing.

Scene i of a split depends only on (seed, split, i), so a larger set begins with a smaller one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from getam_core.classes import SCENE_CLASSES
from getam_core.files import atomic_path
from getam_core.label_png import index_png
from getam_core.scenes.shapes import SALIENT_SHAPES, SCENE_SHAPES, Shape, coverage
from getam_core.scenes.textures import SALIENT_PATTERNS, SCENE_PATTERNS, background, paint

SIDE = (0.34, 0.55)  # of an object, as a share of the image's
HUE_SPREAD = 0.05  # of a class: neighbours on the colour circle overlap
SPLITS = ("train", "val", "salient")  # position is part of the seed


@dataclass(frozen=True)
class Scene:
    """A made image with what is known about it.

    Attributes
    ----------
    image : (S, S, 3) uint8 ndarray
        RGB.
    mask : (S, S) uint8 ndarray
        0 background, k for class k - 1 of `SCENE_CLASSES`.
    classes : tuple of str
        Names of the classes with at least one visible pixel.
    """

    image: np.ndarray
    mask: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class _Object:
    """What is drawn: its value in the mask, outline, pattern, hue and place."""

    value: int
    shape: Shape
    pattern: str
    hue: float
    centre: tuple[float, float]
    radius: float


def draw_scene(rng: np.random.Generator, size: int) -> Scene:
    """Draw one to three objects of `SCENE_CLASSES`, later ones over earlier ones.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Side of the image, pixels.

    Notes
    -----
    Rotation, scale, stretch, place and colours are random. Each class has a pattern of its own, and
    hues that overlap with its neighbours'. The mask holds a pixel where an object covers at
    least half of it.
    """
    objects = [_scene_object(rng, *place) for place in _places(rng, size)]
    image, mask = _compose(rng, size, objects)
    return Scene(image, mask, tuple(SCENE_CLASSES[value - 1] for value in np.unique(mask) if value))


def _scene_object(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> _Object:
    k = int(rng.integers(len(SCENE_CLASSES)))
    pattern = list(SCENE_PATTERNS)[k]
    hue = rng.normal(k / len(SCENE_CLASSES), HUE_SPREAD)
    return _Object(k + 1, SCENE_SHAPES[SCENE_CLASSES[k]], pattern, hue, centre, radius)


def _salient_object(
    rng: np.random.Generator, centre: tuple[float, float], radius: float
) -> _Object:
    shape = list(SALIENT_SHAPES.values())[rng.integers(len(SALIENT_SHAPES))]
    pattern = list(SALIENT_PATTERNS)[rng.integers(len(SALIENT_PATTERNS))]
    return _Object(1, shape, pattern, rng.random(), centre, radius)


def _places(rng: np.random.Generator, size: int) -> list[tuple[tuple[float, float], float]]:
    """Draw centres and radii of one to three objects, far enough apart to stay recognisable."""
    places: list[tuple[tuple[float, float], float]] = []
    for _ in range(rng.choice((1, 2, 3), p=(0.4, 0.4, 0.2))):
        radius = size * rng.uniform(*SIDE) / 2
        for _attempt in range(12):
            x, y = rng.uniform(0.85 * radius, size - 0.85 * radius, 2)
            if all(np.hypot(x - u, y - v) > 0.75 * (radius + r) for (u, v), r in places):
                places.append(((x, y), radius))
                break
    return places


def _compose(
    rng: np.random.Generator, size: int, objects: Sequence[_Object]
) -> tuple[np.ndarray, np.ndarray]:
    """Lay objects over a background; image (size, size, 3) and mask (size, size), uint8."""
    image = background(rng, size)
    mask = np.zeros((size, size), np.uint8)
    for item in objects:
        stretch = (1, rng.uniform(0.85, 1))
        outline = [contour * stretch for contour in item.shape(rng)]
        cover = coverage(outline, item.centre, item.radius, rng.uniform(0, 2 * np.pi), size)
        surface = paint(rng, item.pattern, item.hue, item.centre, item.radius, size)
        image *= 1 - 0.4 * _shadow(cover)[..., None]
        image += cover[..., None] * (surface - image)
        mask[cover >= 0.5] = item.value
    image += 0.02 * rng.standard_normal((size, size, 1), np.float32)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8), mask


def _shadow(cover: np.ndarray) -> np.ndarray:
    """Blur an object's coverage and move it down a little."""
    offset = len(cover) / 48
    move = np.array([[1, 0, offset / 2], [0, 1, offset]], np.float32)
    moved = cv2.warpAffine(cover, move, cover.shape[::-1])
    return cv2.GaussianBlur(moved, (0, 0), offset)


def write_scenes(root: Path | str, train: int, val: int, size: int, seed: int) -> None:
    """Write a data set of made scenes in the layout of the PASCAL VOC kit, with a progress bar.

    JPEGImages/*.jpg (quality 95), SegmentationClass/*.png (palette index, no 255),
    Annotations/*.xml (one box per class, made from the mask), and last
    ImageSets/Segmentation/{train,val}.txt.

    Parameters
    ----------
    root : Path or str
        Made if missing; `voc_folder` finds it.
    train, val : int
        Number of scenes.
    size : int
        Side, pixels.
    seed : int
    """
    root = Path(root)
    for name in ("JPEGImages", "SegmentationClass", "Annotations"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("val", val)):
        ids = [f"{split}_{i:05d}" for i in range(count)]
        for i, image_id in enumerate(tqdm(ids, f"draw {split} scenes", unit="scene")):
            _write_scene(root, image_id, draw_scene(_generator(seed, split, i), size))
        with atomic_path(root / "ImageSets" / "Segmentation" / f"{split}.txt") as temporary:
            temporary.write_text("".join(f"{image_id}\n" for image_id in ids), encoding="utf-8")


def write_salient_scenes(root: Path | str, count: int, size: int, seed: int) -> None:
    """Write images/*.jpg and masks/*.png (0 or 255) to train a saliency network, with progress.

    The objects have shapes and patterns that `SCENE_CLASSES` lack, on the same backgrounds: what
    can be learned from them is "object against noise", not the classes.
    """
    root = Path(root)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for i in tqdm(range(count), "draw salient scenes", unit="scene"):
        rng = _generator(seed, "salient", i)
        objects = [_salient_object(rng, *place) for place in _places(rng, size)]
        image, mask = _compose(rng, size, objects)
        _write_jpeg(root / "images" / f"salient_{i:05d}.jpg", image)
        Image.fromarray(mask * 255).save(root / "masks" / f"salient_{i:05d}.png")


def _generator(seed: int, split: str, i: int) -> np.random.Generator:
    return np.random.default_rng([seed, SPLITS.index(split), i])


def _write_scene(root: Path, image_id: str, scene: Scene) -> None:
    _write_jpeg(root / "JPEGImages" / f"{image_id}.jpg", scene.image)
    index_png(scene.mask).save(root / "SegmentationClass" / f"{image_id}.png")
    annotation = root / "Annotations" / f"{image_id}.xml"
    annotation.write_text(_annotation(image_id, scene), encoding="utf-8")


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    Image.fromarray(image).save(path, quality=95)


def _annotation(image_id: str, scene: Scene) -> str:
    height, width = scene.mask.shape
    lines = [
        f"<annotation><folder>VOC2012</folder><filename>{image_id}.jpg</filename>",
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
    ]
    for name in scene.classes:
        rows, columns = np.nonzero(scene.mask == SCENE_CLASSES.index(name) + 1)
        lines += [
            f"<object><name>{name}</name><difficult>0</difficult><bndbox>",
            f"<xmin>{columns.min() + 1}</xmin><ymin>{rows.min() + 1}</ymin>",
            f"<xmax>{columns.max() + 1}</xmax><ymax>{rows.max() + 1}</ymax></bndbox></object>",
        ]
    return "\n".join([*lines, "</annotation>\n"])
