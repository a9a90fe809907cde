"""Which column of a table holds what: names of images, their classes, their split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from getam_core.data.table import Table, plain_header

# In the form of `plain_header`, the likeliest first.
IMAGE = (
    "image", "filename", "file", "imagename", "imagefilename", "filepath", "imagepath", "path",
    "img", "imgname", "imgpath", "picture", "name", "imageid", "imgid", "fileid", "id",
)  # fmt: skip
CLASSES = (
    "classes", "class", "labels", "label", "categories", "category", "tags", "tag", "choices",
    "choice", "classname", "classnames", "labelname", "labelnames",
)  # fmt: skip
SPLIT = ("split", "set", "subset", "phase", "partition")
# Other columns that tools write, of no use here: boxes, an annotator's notes, row numbers.
BESIDE = frozenset(
    {"", "index", "unnamed0", "width", "height", "depth", "xmin", "ymin", "xmax", "ymax", "x", "y"}
    | {"w", "h", "x1", "y1", "x2", "y2", "difficult", "truncated", "occluded", "pose", "annotator"}
    | {"annotationid", "createdat", "updatedat", "leadtime", *IMAGE}
)
BINARY = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


@dataclass(frozen=True)
class Columns:
    """Positions of columns: `classes` holds names, or each of `binary` is a class of its own."""

    image: int
    split: int | None = None
    classes: int | None = None
    binary: Mapping[int, str] = field(default_factory=dict)


def find_columns(
    table: Table, asked: Mapping[str, str | Sequence[str] | None], problems: list[str]
) -> Columns | None:
    """Find the columns of a table by their names.

    Parameters
    ----------
    table : Table
    asked : mapping
        From "image", "classes" and "split" to the names of the columns in this table; from
        "classes" also to those of several columns of 0 and 1. Missing ones are looked for.
    problems : list of str
        A problem is added to it; then None is returned.
    """
    header = [plain_header(name) for name in table.header]
    problem = _header_problem(table, header, asked)
    if problem is None:
        image = _asked(table, asked.get("image"), header, IMAGE)
        split = _asked(table, asked.get("split"), header, SPLIT)
        assert image is not None, "_header_problem finds a table without images"
        wanted = asked.get("classes")
        if wanted is not None:
            return _wanted(table, image, split, wanted)
        classes = _first(header, CLASSES)
        others = [
            place
            for place, name in enumerate(header)
            if place not in (image, split, classes)
            and (name not in BESIDE or (classes is None and _all_binary(table, place)))
        ]
        problem = _others_problem(table, classes, others)
        if problem is None:
            binary = {} if classes is not None else {place: table.header[place] for place in others}
            return Columns(image, split, classes, binary)
    problems.append(f"{table.name}, line 1: {problem}")
    return None


def _wanted(table: Table, image: int, split: int | None, wanted: str | Sequence[str]) -> Columns:
    if isinstance(wanted, str):
        return Columns(image, split, table.header.index(wanted))
    return Columns(image, split, None, {table.header.index(name): name for name in wanted})


def _asked(
    table: Table, name: str | Sequence[str] | None, header: Sequence[str], names: Sequence[str]
) -> int | None:
    return _first(header, names) if name is None else table.header.index(str(name))


def _first(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _header_problem(
    table: Table, header: Sequence[str], asked: Mapping[str, str | Sequence[str] | None]
) -> str | None:
    listed = ", ".join(table.header) or "none"
    if len(set(header)) != len(header):
        return f"the columns are {listed}; two have the same name"
    for key, names in asked.items():
        wanted = {names} if isinstance(names, str) else set(names or ())
        if absent := sorted(wanted - set(table.header)):
            return f"no column '{absent[0]}' (data.columns.{key}); the columns are {listed}"
    rival = [table.header[header.index(name)] for name in CLASSES if name in header]
    if asked.get("classes") is None and len(rival) > 1:
        return (
            f"both '{rival[0]}' and '{rival[1]}' could hold the classes; choose one with"
            " data.columns: {classes: ...}"
        )
    no_image = asked.get("image") is None and _first(header, IMAGE) is None
    if no_image or (asked.get("classes") is None and len(header) < 2):
        return f"the columns are {listed}; expected image,classes and, optionally, split"
    return None


def _others_problem(table: Table, classes: int | None, others: Sequence[int]) -> str | None:
    """Say what is wrong with the columns that have no known name."""
    listed = ", ".join(table.header)
    if classes is not None and others:
        return (
            f"column '{table.header[others[0]]}' is unknown ('{table.header[classes]}' holds the"
            " classes); data.columns: {image: ..., classes: ...} names the columns to use"
        )
    numbers = [place for place in others if any(c in BINARY for c in _plain(table, place))]
    odd = [place for place in numbers if plain_header(table.header[place]) in BESIDE]
    if odd:
        return (
            f"column '{table.header[odd[0]]}' holds 0 and 1 as a class does; data.columns:"
            " {image: ..., classes: [...]} names the columns to use"
        )
    if classes is None and not numbers:
        return f"the columns are {listed}; expected image,classes and, optionally, split"
    if classes is None and len(numbers) < len(others):
        strange = next(place for place in others if place not in numbers)
        return (
            f"column '{table.header[strange]}' holds neither classes nor 0 and 1; data.columns:"
            " {classes: [...]} names the columns that are classes"
        )
    return None


def _all_binary(table: Table, place: int) -> bool:
    cells = set(_plain(table, place))
    return len(cells) > 1 and cells <= BINARY.keys()


def _plain(table: Table, place: int) -> list[str]:
    return [cell.casefold() for cell in table.column(place)]
