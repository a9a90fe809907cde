"""Time several forms of one computation fairly, and print what came out."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor

CPU = torch.device("cpu")


def compare(
    forms: dict[str, Callable[[], Any]], rounds: int, device: torch.device = CPU
) -> tuple[dict, dict]:
    """Run every form once per round, so that a slow spell of the machine hits all of them.

    Returns
    -------
    seconds : form -> median over the rounds, until `device` has done all that the form asks for.
    results : form -> what it returned in the last round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    results = {}
    for _ in range(rounds):
        for name, form in forms.items():
            wait_for(device)
            start = time.perf_counter()
            results[name] = form()
            wait_for(device)
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}, results


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has finished its work; a CPU has when the call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """Return the largest difference between two sets of maps, as a share of the largest value."""
    return float((got.flatten() - wanted.flatten()).abs().max() / wanted.abs().max())


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a markdown table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, rule, *rows])
