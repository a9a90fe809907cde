"""Maps over images as one picture: rows of images, columns of classes or of methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from getam_core.activation import METHODS
from getam_core.activation.models import check_images, logits_of
from getam_core.errors import InputError, check_name
from getam_core.explain.subject import Subject
from getam_core.report.names import plain_text
from getam_core.report.pictures import METHOD_TITLES, MUTED, overlay

CELL, GAP, ABOVE, BAR = 2.2, 0.08, 0.5, 0.55  # inches


@dataclass(frozen=True)
class Panel:
    """One map over its image."""

    title: str
    map: np.ndarray | None  # (h, w); None for the image alone


def explain(
    images: Sequence[np.ndarray],
    subject: Subject,
    *,
    classes: Sequence[str] | None = None,
    top: int = 3,
    methods: Sequence[str] = ("getam",),
    device: torch.device | str = "cpu",
) -> Figure:
    """Draw which parts of images a network takes for which class.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8 ndarray
        RGB.
    subject : Subject
        The network, see `load_subject`.
    classes : sequence of str or None
        Names; None for the `top` likeliest of each image.
    methods : sequence of str
        Names in `METHODS`. One: a row per image, a column per class. Several: a row per (image,
        class) pair, a column per method; methods that cannot read the network are left out.

    Returns
    -------
    Figure
        Each map is divided by its own maximum, to which the colour bar refers.

    Raises
    ------
    InputError
        An unknown class or method, or none of the methods can read the network.
    """
    for name in methods:
        check_name("method", name, METHODS)
    subject.model.to(device)
    rows = []
    for image in images:
        rows += _rows(image, subject, classes, top, methods, device)
    return _draw(rows)


def _rows(
    image: np.ndarray,
    subject: Subject,
    classes: Sequence[str] | None,
    top: int,
    methods: Sequence[str],
    device: torch.device | str,
) -> list[tuple[np.ndarray, list[Panel]]]:
    """Return the rows of one image."""
    prepared = subject.prepare(image).to(device)
    check_images(subject.model, prepared)
    with torch.no_grad():
        logits = logits_of(subject.model, prepared)[0].float().cpu()
    chosen = subject.choose(logits, classes, top)
    probabilities = subject.probabilities(logits)
    titles = [f"{_short(subject.class_names[c])}, {probabilities[c]:.0%}" for c in chosen]
    maps = _maps(subject, prepared, chosen, methods)
    if len(methods) == 1:
        (of_method,) = maps.values()
        return [(image, [Panel(t, m) for t, m in zip(titles, of_method, strict=True)])]
    return [
        (image, [Panel(title, None)] + [Panel(METHOD_TITLES[name], maps[name][k]) for name in maps])
        for k, title in enumerate(titles)
    ]


def _maps(
    subject: Subject, prepared: torch.Tensor, chosen: Sequence[int], methods: Sequence[str]
) -> Mapping[str, np.ndarray]:
    """Return (K, h, w) maps of the chosen classes by every method that can read the network."""
    targets = torch.zeros(1, len(subject.class_names), dtype=torch.bool)
    targets[0, list(chosen)] = True
    order = np.argsort(np.argsort(chosen))  # methods return maps in the order of the classes
    maps, reasons = {}, []
    for name in methods:
        try:
            made, _ = METHODS[name](subject.model, prepared, targets)
        except InputError as error:
            reasons.append(f"{name}: {error}")
            continue
        maps[name] = made.cpu().numpy()[order]
    if not maps:
        raise InputError("none of these methods can read this network: " + "; ".join(reasons))
    return maps


def _short(names: str) -> str:
    return plain_text(names.split(",")[0])


def _draw(rows: Sequence[tuple[np.ndarray, list[Panel]]]) -> Figure:
    columns = max(len(panels) for _, panels in rows)
    heights = [CELL * image.shape[0] / image.shape[1] for image, _ in rows]
    width = columns * (CELL + GAP) + BAR
    height = sum(heights) + len(rows) * ABOVE
    figure = Figure(figsize=(width, height), facecolor="none")
    y = height
    for (image, panels), tall in zip(rows, heights, strict=True):
        y -= ABOVE + tall
        for i, panel in enumerate(panels):
            box = (i * (CELL + GAP) / width, y / height, CELL / width, tall / height)
            _draw_panel(figure.add_axes(box), image, panel)
    box = ((width - BAR + 0.1) / width, y / height, 0.12 / width, heights[-1] / height)
    _draw_bar(figure.add_axes(box))
    return figure


def _draw_panel(axes: Axes, image: np.ndarray, panel: Panel) -> None:
    axes.imshow(image if panel.map is None else overlay(image, panel.map))
    axes.set_axis_off()
    axes.set_title(panel.title, fontsize=10.5, color=MUTED, pad=4)


def _draw_bar(axes: Axes) -> None:
    bar = axes.figure.colorbar(ScalarMappable(cmap=colormaps["turbo"]), cax=axes, ticks=(0, 1))
    bar.ax.set_yticklabels(("0", "max"), fontsize=8.5, color=MUTED)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
