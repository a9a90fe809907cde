"""Outlines of the made objects, and their exact anti-aliased coverage of pixels.

An outline is a list of closed contours, (n, 2) float x/y each, within the unit circle or up to a
third beyond; a point is inside if an odd number of contours encloses it, so a ring is two circles.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

SUPERSAMPLING = 4
Outline = list[np.ndarray]


def coverage(
    outline: Sequence[np.ndarray],
    centre: tuple[float, float],
    radius: float,
    angle: float,
    size: int,
) -> np.ndarray:
    """Draw an outline turned by `angle` (radians), scaled to `radius` and moved to `centre`.

    Returns
    -------
    (size, size) float32 ndarray
        Share of each pixel that lies inside, 0..1.
    """
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    fine = [(contour @ turn * radius + centre) * SUPERSAMPLING for contour in outline]
    canvas = np.zeros((size * SUPERSAMPLING,) * 2, np.uint8)
    cv2.fillPoly(canvas, [np.round(contour).astype(np.int32) for contour in fine], 255)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _polar(radii: np.ndarray, start: float = -np.pi / 2) -> np.ndarray:
    """Return the contour through the points of these radii at equal angles."""
    angles = start + np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _regular(corners: int) -> np.ndarray:
    return _polar(np.ones(corners))


def _points(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, float)


def circle(rng: np.random.Generator) -> Outline:
    """Return a disc."""
    return [_regular(64)]


def square(rng: np.random.Generator) -> Outline:
    """Return a square, enlarged like the next three to cover about as much as a disc."""
    return [_regular(4) * 1.2]


def triangle(rng: np.random.Generator) -> Outline:
    """Return an equilateral triangle."""
    return [_regular(3) * 1.3]


def star(rng: np.random.Generator) -> Outline:
    """Return a five-pointed star."""
    return [_polar(np.tile([1.3, rng.uniform(0.5, 0.6)], 5))]


def cross(rng: np.random.Generator) -> Outline:
    """Return a plus sign."""
    w = rng.uniform(0.3, 0.38)
    quarter = _points((w, -1.1), (w, -w), (1.1, -w))
    turns = [np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    return [np.concatenate([quarter @ turn for turn in turns])]


def ring(rng: np.random.Generator) -> Outline:
    """Return a disc with a round hole."""
    return [_regular(64), _regular(64) * rng.uniform(0.48, 0.6)]


def ellipse(rng: np.random.Generator) -> Outline:
    """Return a long ellipse."""
    return [_regular(64) * (1.1, rng.uniform(0.45, 0.65))]


def hexagon(rng: np.random.Generator) -> Outline:
    """Return a regular hexagon."""
    return [_regular(6)]


def crescent(rng: np.random.Generator) -> Outline:
    """Return a moon."""
    outer = np.linspace(0.6, 2 * np.pi - 0.6, 48)
    inner = np.linspace(2 * np.pi - 0.95, 0.95, 48)
    # The inner arc ends where the outer one does: radius and shift follow from the two half-angles.
    radius = np.sin(0.6) / np.sin(0.95)
    shift = np.cos(0.6) - radius * np.cos(0.95)
    moon = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    bite = radius * np.stack([np.cos(inner), np.sin(inner)], axis=1) + (shift, 0)
    return [np.concatenate([moon, bite])]


def heart(rng: np.random.Generator) -> Outline:
    """Return a heart."""
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -13 * np.cos(t) + 5 * np.cos(2 * t) + 2 * np.cos(3 * t) + np.cos(4 * t)
    return [np.stack([x, y], axis=1) / 16]


def arrow(rng: np.random.Generator) -> Outline:
    """Return an arrow."""
    return [_points((1.1, 0), (0.2, -0.8), (0.2, -0.35), (-1.1, -0.35),
                    (-1.1, 0.35), (0.2, 0.35), (0.2, 0.8))]  # fmt: skip


def bar(rng: np.random.Generator) -> Outline:
    """Return a long rectangle."""
    h = rng.uniform(0.3, 0.5)
    return [_points((-1.15, -h), (1.15, -h), (1.15, h), (-1.15, h))]


def blob(rng: np.random.Generator) -> Outline:
    """Return a smooth closed curve without a name."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    waves = [
        rng.uniform(0.05, 0.3 / k) * np.cos(k * angles + rng.uniform(0, 2 * np.pi))
        for k in (2, 3, 4)
    ]
    return [_polar(0.85 + sum(waves, np.zeros_like(angles)))]


def letter(rng: np.random.Generator) -> Outline:
    """Return a thick L, T or H."""
    letters = (
        _points((-0.8, -1), (-0.1, -1), (-0.1, 0.35), (0.8, 0.35), (0.8, 1), (-0.8, 1)),
        _points((-0.9, -1), (0.9, -1), (0.9, -0.4), (0.32, -0.4), (0.32, 1), (-0.32, 1),
                (-0.32, -0.4), (-0.9, -0.4)),
        _points((-0.9, -1), (-0.35, -1), (-0.35, -0.28), (0.35, -0.28), (0.35, -1), (0.9, -1),
                (0.9, 1), (0.35, 1), (0.35, 0.28), (-0.35, 0.28), (-0.35, 1), (-0.9, 1)),
    )  # fmt: skip
    return [letters[rng.integers(len(letters))]]


Shape = Callable[[np.random.Generator], Outline]
SCENE_SHAPES: dict[str, Shape] = {
    shape.__name__: shape for shape in (circle, square, triangle, star, cross, ring)
}
SALIENT_SHAPES: dict[str, Shape] = {
    shape.__name__: shape for shape in (ellipse, hexagon, crescent, heart, arrow, bar, blob, letter)
}
