"""Rooms whose names are imported when they are first asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def imported_on_demand(room: str, origins: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a room; `origins` maps its names to the modules they are in.

    For a room with a command: `python -m ROOM` imports the room first, and must come before torch
    (`wait_briefly`).
    """

    def of_room(name: str) -> Any:
        if name not in origins:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{origins[name]}"), name)

    return of_room
