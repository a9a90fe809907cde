"""The labels in a table's cells: joined by separators or blanks, or written as a list."""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

JOINED = re.compile(r"[;|]")  # no class name has one of these
EITHER = re.compile(r"\s*[,/+&]\s*|\s+")  # these separate names, but also occur in names
GAP = re.compile(r"['\"]\s+['\"]")  # numpy prints lists so; Python reads 'a' 'b' as one text


def labels_of_cell(text: str) -> tuple[str, ...]:
    """Return the labels of a cell: "cat;dog", "cat|dog", "['cat', 'dog']", '{"choices": ["cat"]}'.

    Raises
    ------
    ValueError
        It begins like a list but is not one.
    """
    found = _items(_value(text)) if text[:1] in ("[", "{") else JOINED.split(text)
    return tuple(dict.fromkeys(filter(None, (label.strip() for label in found))))


def _value(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            if not GAP.search(text):
                return read(text)
        except (ValueError, SyntaxError):
            continue
    raise ValueError(f"{text}: begins like a list, but is not one; write names joined by ';'")


def _items(value: Any) -> list[str]:
    """Return the names in a list, or in an annotation tool's mapping."""
    if isinstance(value, dict):
        kept = [v for k, v in value.items() if k == "choices" or k.endswith("labels")]
        if not kept:
            raise ValueError(f"{value}: has no choices; write names joined by ';'")
        return [name for item in kept for name in _items(item)]
    if isinstance(value, (list, tuple, set)):
        return [name for item in value for name in _items(item)]
    return [str(value)]


def separate(
    labels: Iterable[str], classes: Sequence[str] | None
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Find labels that join several names by a blank or comma, which names may also contain.

    Parameters
    ----------
    labels : iterable of str
        All labels of a table.
    classes : sequence of str, or None
        The known ones; None takes the labels without such a separator.

    Returns
    -------
    (dict of str to tuple of str, list of str)
        The parts of each label that joins several names: all parts are known, the label itself is
        not. And a problem for each ambiguous label: all its parts are known or occur in other
        labels ("clear forest" beside "clear water" and "haze forest").
    """
    distinct = set(labels)
    known = {label for label in distinct if not EITHER.search(label)}
    known = set(classes) if classes is not None else known
    parts = {label: tuple(EITHER.split(label)) for label in distinct - known}
    parts = {label: names for label, names in parts.items() if len(names) > 1 and all(names)}
    several = {label: names for label, names in parts.items() if known.issuperset(names)}
    open_ones = {label: names for label, names in parts.items() if label not in several}
    unclear = [] if classes is not None else _unclear(open_ones, known)
    return several, [
        f"'{label}': one class, or {' and '.join(parts[label])}? Join several by ';', or name the"
        " classes in data.classes"
        for label in unclear
    ]


def _unclear(parts: dict[str, tuple[str, ...]], known: Collection[str]) -> list[str]:
    met: defaultdict[str, set[str]] = defaultdict(set)
    for label, names in parts.items():
        for name in names:
            met[name].add(label)
    return sorted(
        label
        for label, names in parts.items()
        if all(name in known or len(met[name]) > 1 for name in names)
    )
