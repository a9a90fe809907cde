"""Other tools' exports, made small: the inputs of the tables of cases, and how a case is read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from getam_core.errors import InputError
from getam_core.settings import Settings
from tests.own_kit import picture
from workflow_scripts.data_set import list_data_set

SIX = {"a": "cat", "b": "dog", "c": "cat dog", "d": "", "e": "cat", "f": "dog"}
BINARY = {"a": (1, 0), "b": (0, 1), "c": (1, 1), "d": (0, 0), "e": (1, 0), "f": (0, 1)}


def six(folder: Path, *, suffix: str = ".jpg") -> Path:
    """The images a to f, all different."""
    for seed, name in enumerate(SIX):
        picture(folder / f"{name}{suffix}", seed)
    return folder


def table(root: Path, text: str, name: str = "labels.csv", encoding: str = "utf-8") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def own(root: Path, header: str, *lines: str, encoding: str = "utf-8", end: str = "\n") -> None:
    """`images/` with a to f, and a labels.csv with these lines."""
    six(root / "images")
    table(root, end.join([header, *lines, ""]), encoding=encoding)


def joined(separator: str, form: str = "{name}.jpg,{classes}") -> list[str]:
    """One line per image, its classes joined by `separator`."""
    return [
        form.format(name=name, classes=separator.join(classes.split()))
        for name, classes in SIX.items()
    ]


def binary(separator: str = ",", name: str = "{}.jpg") -> list[str]:
    """Lines of a table of 0 and 1, one column per class."""
    return [separator.join([name.format(n), *map(str, row)]) for n, row in BINARY.items()]


def class_tree(root: Path, *folders: str, count: int = 3) -> None:
    """`count` images in each folder, all different."""
    for k, folder in enumerate(folders):
        for i in range(count):
            picture(root / folder / f"{Path(folder).name.strip('_').lower()}{i}.png", 100 * k + i)


def coco_file(
    path: Path,
    images: Sequence[str],
    shown: Mapping[str, Sequence[Any]],
    categories: Mapping[Any, str],
    **annotation: Any,
) -> None:
    """An instances file with only what image-level labels need, plus the keys of `annotation`."""
    document = {
        "images": [{"id": k, "file_name": name} for k, name in enumerate(images)],
        "categories": [{"id": k, "name": name} for k, name in categories.items()],
        "annotations": [
            {"id": 10 * k + j, "image_id": k, "category_id": category} | annotation
            for k, name in enumerate(images)
            for j, category in enumerate(shown.get(name, ()))
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def mask(path: Path, values: Any, mode: str | None = None, palette: Sequence[int] = ()) -> Path:
    """A PNG of exactly these values; a single value fills 12 x 16 pixels."""
    values = np.broadcast_to(
        np.asarray(values), (12, 16) if np.ndim(values) < 2 else None or np.shape(values)
    )
    image = Image.fromarray(np.ascontiguousarray(values))
    if palette:
        image.putpalette(list(palette))
    path.parent.mkdir(parents=True, exist_ok=True)
    (image.convert(mode) if mode else image).save(path)
    return path


def read(root: Path, **data: Any) -> dict[str, str]:
    """Return the classes of each image as the workflow's first stage reads them."""
    settings = Settings.model_validate({"data": {"layout": "folder"} | data})
    entries = list_data_set(settings, root).checked(settings.data.classes, workers=1)
    return {entry.image_id: " ".join(entry.classes) for entry in entries}


def outcome(root: Path, **data: Any) -> dict[str, str] | str:
    """Return what `read` returns, or the refusal."""
    try:
        return read(root, **data)
    except InputError as error:
        return str(error)
