"""Surfaces of the made images: natural-looking noise behind, patterned paint on the objects."""

from colorsys import hsv_to_rgb
from functools import cache

import numpy as np

# Muted hues of what backgrounds are made of: sand, moss, grass, water, sky, heather.
NATURAL_HUES = (0.08, 0.14, 0.25, 0.36, 0.52, 0.58, 0.78)


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a background: two or three muted colours mixed and lit by 1/f noise.

    Returns
    -------
    (size, size, 3) float32 ndarray
        RGB, 0..1.
    """
    hue = NATURAL_HUES[rng.integers(len(NATURAL_HUES))]
    hues = (hue, hue + rng.normal(0, 0.06), NATURAL_HUES[rng.integers(len(NATURAL_HUES))])
    saturation, value = rng.uniform(0.08, 0.42, 3), rng.uniform(0.3, 0.75, 3)
    first, second, third = (
        np.array(hsv_to_rgb(h % 1, s, v), np.float32)
        for h, s, v in zip(hues, saturation, value, strict=True)
    )
    noise = fractal_noise(rng, size, exponent=(1.3, 1.6, 1.6))
    light, mix, patch = noise[..., 0], noise[..., 1], noise[..., 2]
    image = first + _step(mix)[..., None] * (second - first)
    image += (_step(2 * patch - 1.5) * 0.8)[..., None] * (third - image)
    contrast = rng.uniform(0.08, 0.18)
    return np.clip(image * (1 + contrast * light[..., None]), 0, 1)


def _step(noise: np.ndarray) -> np.ndarray:
    """Turn noise around 0 into a mixing share 0..1 with soft borders."""
    return np.clip(0.5 + 0.6 * noise, 0, 1)


def fractal_noise(
    rng: np.random.Generator, size: int, exponent: tuple[float, ...], stretch: float = 3.0
) -> np.ndarray:
    """Draw noise with amplitude 1/f^exponent, stretched in a random direction like grass or water.

    Returns
    -------
    (size, size, len(exponent)) float32 ndarray
        Each channel has mean 0 and standard deviation 1.
    """
    x, y = _frequencies(size)
    angle, factor = rng.uniform(0, np.pi), rng.uniform(1, stretch)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = (np.cos(angle) * y - np.sin(angle) * x) / factor
    log_f = 0.5 * np.log(along**2 + across**2 + 0.25)
    channels = []
    for power in exponent:
        white = rng.standard_normal((2, *x.shape), np.float32)
        spectrum = (white[0] + 1j * white[1]) * np.exp(-power * log_f)
        spectrum[0, 0] = 0
        field = np.fft.irfft2(spectrum, s=(size, size))
        channels.append(field / field.std())
    return np.stack(channels, axis=-1).astype(np.float32)


@cache
def _frequencies(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the frequencies of `irfft2` in cycles per image, both (size, size // 2 + 1)."""
    x, y = np.fft.rfftfreq(size, 1 / size), np.fft.fftfreq(size, 1 / size)
    shape = (size, size // 2 + 1)
    return (
        np.broadcast_to(x.astype(np.float32)[None], shape),
        np.broadcast_to(y.astype(np.float32)[:, None], shape),
    )


# Patterns: functions of two coordinates in radians, with period 2 pi; positive where it is light.
SCENE_PATTERNS = {
    "dots": lambda u, v: np.cos(u) + np.cos(v) - 0.5,
    "checks": lambda u, v: 2 * np.sin(u / 1.4) * np.sin(v / 1.4),
    "stripes": lambda u, v: np.sin(u),
    "zigzag": lambda u, v: np.sin(v + 2 * np.abs((u / 2 / np.pi) % 1 - 0.5) * 2 * np.pi),
    "plaid": lambda u, v: np.maximum(np.cos(u), np.cos(v)) - 0.5,
    "target": lambda u, v: np.sin(np.hypot(u, v)),
}
SALIENT_PATTERNS = {
    "plain": lambda u, v: np.full_like(u, 0.2),
    "waves": lambda u, v: np.sin(v + 1.2 * np.sin(u)),
    "lattice": lambda u, v: np.abs(np.sin(u / 2)) + np.abs(np.sin(v / 2)) - 1.1,
    "bricks": lambda u, v: (
        np.minimum(np.abs(np.sin(v / 2)), np.abs(np.sin(u / 4 + (v // (2 * np.pi)) * np.pi / 2)))
        - 0.25
    ),
    "mottle": lambda u, v: np.sin(u + 1.7 * np.sin(0.6 * v)) + np.sin(1.3 * v + 1.9 * np.cos(u)),
}
PATTERNS = SCENE_PATTERNS | SALIENT_PATTERNS


def paint(
    rng: np.random.Generator,
    pattern: str,
    hue: float,
    centre: tuple[float, float],
    radius: float,
    size: int,
) -> np.ndarray:
    """Draw a surface of two shades of `hue` in a pattern, turned at random, lit from one side.

    Returns
    -------
    (size, size, 3) float32 ndarray
        RGB, 0..1; only the part that an object covers is used.
    """
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x, y = x - centre[0], y - centre[1]
    angle, period = rng.uniform(0, 2 * np.pi), max(5.0, radius * rng.uniform(0.42, 0.7))
    wave = np.float32(2 * np.pi / period)
    u = wave * (np.cos(angle) * x + np.sin(angle) * y)
    v = wave * (np.cos(angle) * y - np.sin(angle) * x)
    share = np.clip(0.5 + 1.5 * PATTERNS[pattern](u, v), 0, 1)[..., None]
    light, dark = _shades(rng, hue)
    lit = rng.uniform(0, 2 * np.pi)
    shading = 1 + 0.18 * (np.cos(lit) * x + np.sin(lit) * y) / radius
    return np.clip((dark + share * (light - dark)) * shading[..., None], 0, 1)


def _shades(rng: np.random.Generator, hue: float) -> tuple[np.ndarray, np.ndarray]:
    shift = rng.uniform(-0.08, 0.08)
    light = hsv_to_rgb(hue % 1, rng.uniform(0.25, 0.7), rng.uniform(0.82, 1.0))
    dark = hsv_to_rgb((hue + shift) % 1, rng.uniform(0.55, 0.95), rng.uniform(0.35, 0.65))
    return np.array(light, np.float32), np.array(dark, np.float32)
