"""Stages that work on a part of a split, and those that put the parts together."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from getam_core.data.index import Entry, of_split, read_index
from getam_core.errors import InputError

Listed = TypeVar("Listed")


def add_shard(
    arguments_parser: argparse.ArgumentParser, splits: Sequence[str] = ("train", "val")
) -> None:
    """Add `--split`, `--shard` and `--shard-size`, for stages that work on a part of a split."""
    arguments_parser.add_argument("--split", required=True, choices=splits)
    arguments_parser.add_argument(
        "--shard", type=int, required=True, help="number of the shard, from 0"
    )
    arguments_parser.add_argument("--shard-size", type=int, required=True, help="images per shard")


def entries_of(arguments: argparse.Namespace) -> Sequence[Entry]:
    """Return the entries of the shard; `InputError` where there is none."""
    return shard_of(of_split(read_index(arguments.index), arguments.split), arguments)


def shard_of(listed: Sequence[Listed], arguments: argparse.Namespace) -> Sequence[Listed]:
    """Return the shard's part of a split; `InputError` where the split ends before it."""
    start = arguments.shard * arguments.shard_size
    chosen = listed[start : start + arguments.shard_size]
    if not chosen:
        raise InputError(f"shard {arguments.shard}: the split has {len(listed)} images")
    return chosen


def add_counts(arguments_parser: argparse.ArgumentParser) -> None:
    """Add `--counts` and `--shards`, for figures that may have been counted in shards."""
    arguments_parser.add_argument(
        "--counts", type=Path, help="counts of shard 0, if the figure was counted in shards"
    )
    arguments_parser.add_argument("--shards", type=int, default=0, help="number of shards")


def numbered(first: Path, count: int) -> list[Path]:
    """Return the files of shards 0, 1, ..., which are beside the first and named by number.

    With a few thousand shards, a command that named each would be too long.
    """
    return [first.with_name(f"{number}{first.suffix}") for number in range(count)]
