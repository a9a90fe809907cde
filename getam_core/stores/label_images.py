"""Images of labels: what their values mean, by depth and palette, or as the user says.

A label image holds 0 for the background, 1..C for classes and 255 for ignored pixels; other tools
write 255 for the object, or colours. `parse_values` and `read_labelmap` say which value is which.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from getam_core.classes import BACKGROUND, IGNORE, palette, plain_name
from getam_core.errors import InputError

Values = Mapping[tuple[int, ...], int]  # (grey,) or (red, green, blue) to label
LABELMAP = "labelmap.txt"  # CVAT's, beside its masks
EXPECTED = "expected an index or 8-bit grey PNG of labels"
FIX = "data.mask_values (of `stores import`: --values) says which value or colour is which class"


def parse_values(given: Mapping[str | int, str], classes: Sequence[str]) -> Values:
    """Return labels by value: {255: "defect"} or {"128,0,0": "cat", "0,0,0": "background"}.

    `ignore` is 255. Unless given otherwise, grey 0 and black are background, grey 255 is ignored.

    Raises
    ------
    InputError
        A key is not a grey value or colour, both are mixed, or a name is not a class.
    """
    labels = {"background": BACKGROUND, "ignore": IGNORE}
    labels |= {name: k for k, name in enumerate(classes, start=1)}
    values: dict[tuple[int, ...], int] = {}
    for key, name in given.items():
        numbers = tuple(int(n) for n in str(key).split(",") if n.strip().isdecimal())
        if len(numbers) not in (1, 3) or len(numbers) != len(str(key).split(",")):
            raise InputError(f"mask values: {key!r}: expected a grey value or 'red,green,blue'")
        if name not in labels:
            raise InputError(
                f"mask values: {key}: '{name}' is not a class; expected {', '.join(labels)}"
            )
        values[numbers] = labels[name]
    if len({len(key) for key in values}) != 1:
        raise InputError("mask values: expected grey values or colours, not both")
    grey = len(next(iter(values))) == 1
    return ({(0,): BACKGROUND, (255,): IGNORE} if grey else {(0, 0, 0): BACKGROUND}) | values


def read_labelmap(path: Path, classes: Sequence[str]) -> Values:
    """Read CVAT's list of colours, lines such as "cat:128,0,0::"; names of no class are left out.

    Raises
    ------
    InputError
        A class shares its colour with another name, no class is named, or a colour is invalid.
    """
    known = {"background": "background"} | {plain_name(name): name for name in classes}
    names: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        name, _, rest = line.partition(":")
        colour = rest.partition(":")[0].replace(" ", "")
        if not line.strip() or line.startswith("#"):
            continue
        other = names.setdefault(colour, name)
        if known.get(plain_name(other)) != known.get(plain_name(name)):
            raise InputError(f"{path}: {other} and {name} have the same colour '{colour}'")
    plain = {colour: plain_name(name) for colour, name in names.items()}
    given: dict[str | int, str] = {c: known[name] for c, name in plain.items() if name in known}
    if not set(given.values()) & set(classes):
        raise InputError(f"{path}: names none of the classes {', '.join(classes)}")
    return parse_values(given, classes)


def read_label_png(path: Path | str, values: Values | None = None) -> np.ndarray:
    """Read an image of labels.

    Parameters
    ----------
    path : Path or str
        An index PNG, whose indices are the labels, or a grey one of 1, 8 or 16 bits; if `values`
        has colours, any lossless image.
    values : mapping, optional
        See `parse_values`; by default the values are the labels.

    Returns
    -------
    (H, W) ndarray of uint8
        0 background, 1..C classes, 255 unknown or ignored.

    Raises
    ------
    InputError
        The file is missing, cannot be decoded, or holds what cannot be labels.
    """
    try:
        with Image.open(path) as image:
            image.load()
            if image.format == "JPEG":
                raise InputError(f"{path}: a JPEG, which blurs labels; save masks as PNG")
            if values is not None and len(next(iter(values))) == 3:
                return _of_colours(path, image, values)
            grey = _grey(path, image, indices_are_labels=values is None)
            return _narrow(path, grey) if values is None else _mapped(path, grey, values)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be decoded ({error})") from None


def _grey(path: Path | str, image: Image.Image, *, indices_are_labels: bool) -> np.ndarray:
    """Return (H, W) values: indices, or grey levels."""
    if image.mode == "P" and indices_are_labels:
        _check_palette(path, image)
    if image.mode in ("1", "P", "L") or image.mode.startswith("I"):
        array = np.array(image)
        return array.astype(np.uint8) if array.dtype == bool else array
    if image.mode not in ("RGB", "RGBA", "LA"):
        raise InputError(
            f"{path}: mode {image.mode}, expected an index or 8-bit grey PNG of labels"
        )
    colours = _rgb(path, image)
    if (colours != colours[..., :1]).any():
        first = sorted({tuple(colour) for colour in colours.reshape(-1, 3).tolist()})[:3]
        shown = "; ".join(",".join(map(str, colour)) for colour in first)
        raise InputError(f"{path}: mode {image.mode}, {EXPECTED}, not colours ({shown}); {FIX}")
    return colours[..., 0]


def _rgb(path: Path | str, image: Image.Image) -> np.ndarray:
    alpha = np.array(image.getchannel("A")) if image.mode in ("RGBA", "LA") else np.array(255)
    if alpha.min() < 255:
        raise InputError(
            f"{path}: transparent pixels, which cannot be labels; save it without alpha"
        )
    return np.array(image.convert("RGB"))


def _check_palette(path: Path | str, image: Image.Image) -> None:
    """Refuse indices that an image editor renumbered: their colours are those of other labels."""
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    used = [k for k in np.unique(np.array(image)).tolist() if k < len(colours)]
    label_of = {tuple(colour): k for k, colour in enumerate(palette().tolist())}
    shown = {k: tuple(colours[k].tolist()) for k in used}
    moved = [k for k in used if label_of.get(shown[k], k) != k and not _is_ramp(shown)]
    if moved and all(shown[k] in label_of for k in used):
        k = moved[0]
        raise InputError(
            f"{path}: index {k} has the colour of label {label_of[shown[k]]} in PASCAL VOC's"
            f" palette, so the indices are not the labels; {FIX}"
        )


def _is_ramp(shown: Mapping[int, tuple[int, ...]]) -> bool:
    return all(len(set(colour)) == 1 for colour in shown.values())


def _narrow(path: Path | str, grey: np.ndarray) -> np.ndarray:
    if grey.dtype != np.uint8 and grey.size and not 0 <= grey.min() <= grey.max() <= IGNORE:
        raise InputError(f"{path}: values up to {grey.max()}, expected 0..{IGNORE}; {FIX}")
    return grey.astype(np.uint8)


def _mapped(path: Path | str, grey: np.ndarray, values: Values) -> np.ndarray:
    found, places = np.unique(grey, return_inverse=True)
    strange = [value for value in found.tolist() if (value,) not in values]
    if strange:
        raise InputError(f"{path}: values {strange[:5]} are not among the mask values")
    labels = np.array([values[(value,)] for value in found.tolist()], np.uint8)
    return labels[places.reshape(grey.shape)]


def _of_colours(path: Path | str, image: Image.Image, values: Values) -> np.ndarray:
    rgb = _rgb(path, image).astype(np.int32)
    grey = (rgb[..., 0] << 16) + (rgb[..., 1] << 8) + rgb[..., 2]
    coded: Values = {((r << 16) + (g << 8) + b,): label for (r, g, b), label in values.items()}
    strange = [v for v in np.unique(grey).tolist() if (v,) not in coded]
    if strange:
        shown = "; ".join(f"{v >> 16},{v >> 8 & 255},{v & 255}" for v in strange[:3])
        raise InputError(f"{path}: the colours {shown} are not among the mask values")
    return _mapped(path, grey, coded)


def nothing_labelled(values: set[int], classes: Sequence[str] | int) -> str | None:
    """Say what is wrong with a set of label images whose values, taken together, are `values`."""
    if IGNORE in values and values <= {BACKGROUND, IGNORE}:
        several = classes if isinstance(classes, int) else len(classes)
        name = classes[0] if not isinstance(classes, int) and several == 1 else "NAME"
        return (
            "they hold only 0 and 255, and 255 is ignored, so no class has a pixel; if 255 is a"
            f" class: data.mask_values: {{255: {name}}} (of `stores import`: --values 255={name})"
        )
    return None
