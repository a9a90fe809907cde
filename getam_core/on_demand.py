"""Packages whose names are imported on first use."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def imported_on_demand(room: str, origins: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of package `room`; `origins` maps its names to their modules.

    For packages with a command: `python -m PACKAGE` imports the package first, and torch must be
    imported only after the command has called `wait_briefly`.
    """

    def of_room(name: str) -> Any:
        if name not in origins:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{origins[name]}"), name)

    return of_room
