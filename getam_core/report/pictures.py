"""Panels of images, maps and label maps, and the pictures made from them.

Shapes: H, W image sides; K present classes; h, w patch grid of the maps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from getam_core.classes import BACKGROUND, IGNORE, palette
from getam_core.report.names import plain_text

# The VOC palette is dark on paper; a gamma brightens it, and keeps hues and all colours distinct.
BRIGHT = np.round(255 * (palette() / 255) ** 0.5).astype(np.uint8)
INK, MUTED = "#1f2937", "#727b89"  # MUTED is legible on white and on black

METHOD_TITLES = {
    "getam": "GETAM",
    "grad_cam": "Grad-CAM",
    "cam_ignore": "CAM",
    "attention_gradient": "Attention x gradient",
    "ts_cam": "TS-CAM",
    "cam_add": "CAM (add)",
    "cnn_cam": "CNN CAM",
    "afa": "AFA",
}


@dataclass(frozen=True)
class Example:
    """One image and what a run made of it; what is None or absent has no panel.

    Parameters
    ----------
    name : str
        Image id.
    image : (H, W, 3) ndarray of uint8, RGB
    classes : mapping of int to str
        The image's classes: class id (1..C) to name.
    maps : mapping of str to (K, h, w) ndarray
        Method name to one map for every class of `classes`, in that order; any non-negative range.
    saliency : (H, W) ndarray, optional
        0..255 uint8, 0..1 float or bool.
    pseudo_label, prediction, mask : (H, W) ndarray of uint8, optional
        Label maps, 255 for unknown.
    """

    name: str
    image: np.ndarray
    classes: Mapping[int, str] = field(default_factory=dict)
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    saliency: np.ndarray | None = None
    pseudo_label: np.ndarray | None = None
    prediction: np.ndarray | None = None
    mask: np.ndarray | None = None


def _faded(image: np.ndarray) -> np.ndarray:
    """Grey, darkened image, float (H, W, 3) 0..255: the background under colours."""
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] * 0.5, 3, axis=2)


def overlay(
    image: np.ndarray, maps: np.ndarray, class_ids: Sequence[int] | None = None
) -> np.ndarray:
    """Lay activation maps over their image.

    Parameters
    ----------
    image : (H, W, 3) ndarray of uint8, RGB
    maps : (h, w) or (K, h, w) ndarray
        Non-negative, any range: each map is divided by its own maximum, and resized to the image.
    class_ids : (K,) sequence of int, optional
        If given, every class glows in its label colour, a pixel's strongest class on top.
        Otherwise the strongest activation is drawn in heat colours.

    Returns
    -------
    (H, W, 3) ndarray of uint8, RGB
    """
    H, W = image.shape[:2]
    maps = np.asarray(maps, np.float32)
    maps = maps[None] if maps.ndim == 2 else maps
    if len(maps) == 0:
        return _faded(image).astype(np.uint8)
    maps = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-12)
    maps = np.stack([cv2.resize(m, (W, H), interpolation=cv2.INTER_LINEAR) for m in maps])  # K,H,W
    strength = maps.max(axis=0).clip(0, 1)
    if class_ids is None:
        heat = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
        return np.round(0.5 * image + 0.5 * heat).astype(np.uint8)
    colours = BRIGHT[np.asarray(class_ids)][maps.argmax(axis=0)].astype(np.float32)  # H,W,3
    strength = strength[..., None]
    # Peaks turn lighter, so that a dark class colour shows them too.
    white = 0.4 * np.clip((strength - 0.6) / 0.4, 0, 1)
    glow = 0.2 * image + 0.8 * (colours * (1 - white) + 255 * white)
    visible = strength**0.8
    return np.round(_faded(image) * (1 - visible) + glow * visible).astype(np.uint8)


def colour_labels(label_map: np.ndarray, image: np.ndarray | None = None) -> np.ndarray:
    """Give a label map the colours of its classes; unknown pixels (255) are hatched white.

    Parameters
    ----------
    label_map : (H, W) ndarray of uint8
    image : (H, W, 3) ndarray of uint8, RGB, optional
        Shown faded under the labels; without it the background is black.

    Returns
    -------
    (H, W, 3) ndarray of uint8, RGB
    """
    colours = BRIGHT[label_map].astype(np.float32)
    if image is not None:
        ground = _faded(image)
        known_class = ((label_map != BACKGROUND) & (label_map != IGNORE))[..., None]
        colours = np.where(known_class, 0.78 * colours + 0.22 * image, ground)
    H, W = label_map.shape
    period = max(6, min(H, W) // 24)
    stripe = (np.add.outer(np.arange(H), np.arange(W)) % period) * 4 < period
    unknown = np.where(stripe[..., None], 190.0, 250.0)
    colours = np.where((label_map == IGNORE)[..., None], unknown, colours)
    return np.round(colours).astype(np.uint8)


def _panels(example: Example) -> dict[str, np.ndarray]:
    """Every panel an example has, title to RGB, in the order in which the method makes them."""
    panels = {"Image": example.image}
    for method, maps in example.maps.items():
        title = METHOD_TITLES.get(method, method)
        panels[title] = overlay(example.image, maps, list(example.classes))
    if example.saliency is not None:
        grey = np.asarray(example.saliency)
        grey = grey if grey.dtype == np.uint8 else np.round(grey.astype(np.float32) * 255)
        panels["Saliency"] = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    for title, label_map in (
        ("Pseudo label", example.pseudo_label),
        ("Prediction", example.prediction),
        ("Ground truth", example.mask),
    ):
        if label_map is not None:
            panels[title] = colour_labels(label_map, example.image)
    return panels


def draw_grid(
    examples: Sequence[Example], columns: int, cell: float, left: float, top: float, below: float
) -> tuple[Figure, list[list[Axes]]]:
    """Lay out axes of equal width, rows as high as their images need; lengths in inches.

    `left` and `top` are margins for text, `below` is the free strip under every row.
    """
    gap = 0.06
    heights = [cell * example.image.shape[0] / example.image.shape[1] for example in examples]
    width = left + columns * (cell + gap)
    height = top + sum(heights) + len(heights) * (below + gap)
    figure = Figure(figsize=(width, height))
    rows, y = [], height - top
    for row_height in heights:
        y -= row_height
        boxes = [(left + i * (cell + gap), y, cell, row_height) for i in range(columns)]
        rows.append(
            [
                figure.add_axes((x / width, b / height, w / width, h / height))
                for x, b, w, h in boxes
            ]
        )
        y -= below + gap
    for axes in (a for row in rows for a in row):
        axes.set_axis_off()
    return figure, rows


def draw_legend(axes: Axes, example: Example, colour: str, size: float) -> None:
    """Names and colours of the image's classes, under its first panel."""
    names = {k: plain_text(name) for k, name in example.classes.items()}
    handles = [Patch(color=BRIGHT[k] / 255, label=name) for k, name in names.items()]
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=axes.transAxes,
        ncols=len(handles) or 1, frameon=False, fontsize=size, labelcolor=colour,
        borderpad=0, borderaxespad=0.4, handlelength=0.8, handleheight=0.8,
        handletextpad=0.4, columnspacing=0.9,
    )  # fmt: skip


def gallery(examples: Sequence[Example]) -> Figure:
    """Draw one row per example: image, maps of every method, saliency, labels, ground truth.

    Columns that no example fills are left out. The background is transparent and the text grey, so
    that the picture suits light and dark pages.
    """
    rows = [_panels(example) for example in examples]
    titles = list(dict.fromkeys(title for row in rows for title in row))
    order = ["Saliency", "Pseudo label", "Prediction", "Ground truth"]
    titles.sort(key=lambda title: order.index(title) + 1 if title in order else 0)
    figure, grid = draw_grid(examples, len(titles), cell=1.55, left=0.0, top=0.3, below=0.26)
    figure.set_facecolor("none")
    for example, row, line in zip(examples, rows, grid, strict=True):
        for title, axes in zip(titles, line, strict=True):
            if title in row:
                axes.imshow(row[title], interpolation="antialiased")
        draw_legend(line[0], example, MUTED, 9.5)
        line[-1].annotate(
            plain_text(example.name), (1, 0), (0, -4), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="top", fontsize=8, color=MUTED,
        )  # fmt: skip
    for title, axes in zip(titles, grid[0] if grid else [], strict=False):
        axes.set_title(title, fontsize=10.5, color=MUTED, pad=5)
    return figure


def side_by_side(galleries: Mapping[str, Figure]) -> Figure:
    """Set galleries side by side on white, each under its heading, aligned at the top.

    Each is drawn at 110 dots per inch and set as an image: save the figure with `dpi=110`.
    """
    dpi, gap, top = 110, 33, 30  # pixels
    drawn = []
    for figure in galleries.values():
        figure.set_facecolor("white")
        figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn.append(np.asarray(canvas.buffer_rgba()))
    width = sum(image.shape[1] for image in drawn) + gap * (len(drawn) - 1)
    height = max(image.shape[0] for image in drawn) + top
    whole = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="white")
    left = 0
    for heading, image in zip(galleries, drawn, strict=True):
        whole.figimage(image, left, height - top - image.shape[0])
        middle = (left + image.shape[1] / 2) / width
        whole.text(middle, 1 - 8 / height, heading, ha="center", va="top", fontsize=11, color=INK)
        left += image.shape[1] + gap
    return whole
