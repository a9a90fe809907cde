"""The states of a training on disk: the one it resumes from, and those of epochs that are kept.

The state of torch's random number generators is part of each.
"""

import os
import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from getam_core.checkpoint import load_resumable, load_same, save_checkpoint
from getam_core.errors import InputError
from getam_core.training.distributed import Processes

FORMAT = 2  # of a state; other formats group the optimiser's parameters differently
NEEDED = {"model", "optimizer", "scaler", "epoch", "step", "rows", "sums", "rng"}  # by the loop


class States:
    """States of one training, `path` and its neighbours `<stem>.epoch<number>` and `<stem>.best`.

    Parameters
    ----------
    path : Path
        Overwritten at every save; outside the workflow's outputs.
    settings : dict
        Plain values that identify the run: a state with others is set aside, not resumed.
    resume_from : Path or None
        State to start from if `path` has none; one with other settings is refused.
    keep_last : int
        Number of last epochs whose states are kept; the file `resume_from` is never removed.
    keep_best : bool
        Keep the state of the epoch with the highest class mAP in the half that was trained last:
        in an earlier half the decoder is not trained.
    """

    def __init__(
        self,
        path: Path,
        settings: dict[str, Any],
        *,
        resume_from: Path | None = None,
        keep_last: int = 0,
        keep_best: bool = False,
    ):
        self.path, self.resume_from = path, resume_from
        self.settings = settings | {"state_format": FORMAT}
        self.keep_last, self.keep_best = keep_last, keep_best

    def load(
        self, needed: Collection[str] = (), *, set_aside: bool = True
    ) -> dict[str, Any] | None:
        """Return the state to resume from, with the keys that are needed, or None.

        Of several processes only one has `set_aside`; the others read after it.

        Raises
        ------
        InputError
            `resume_from` is missing, damaged, or of other settings.
        """
        state = load_resumable(self.path, self.settings, needed) if set_aside else None
        if not set_aside and self.path.exists():
            state = load_same(self.path, self.settings, needed)
        if state is None and self.resume_from is not None:
            return load_same(self.resume_from, self.settings, needed)
        return state

    def save(self, content: dict[str, Any]) -> None:
        """Write the state to resume from."""
        save_checkpoint(self.path, content | {"settings": self.settings})

    def keep(self, rows: Sequence[dict[str, Any]]) -> None:
        """Keep the state saved at an epoch's end if wanted; its row is the last of `rows`."""
        epoch = rows[-1]["epoch"]
        if self.keep_last:
            self._copy_to(f"epoch{epoch:03d}")
            for number, file in self._epochs():
                if not epoch - self.keep_last < number <= epoch and not self._starts_from(file):
                    file.unlink()
        if self.keep_best and _is_best(rows):
            self._copy_to("best")

    def remove(self) -> None:
        """Remove the state to resume from, since training is complete."""
        self.path.unlink(missing_ok=True)

    def _copy_to(self, name: str) -> None:
        """Link the saved state to a second name, which the next save leaves unchanged."""
        copy = self.path.with_name(f"{self.path.stem}.{name}{self.path.suffix}")
        copy.unlink(missing_ok=True)
        try:
            os.link(self.path, copy)
        except OSError:  # a file system without links
            shutil.copy2(self.path, copy)

    def _starts_from(self, file: Path) -> bool:
        return self.resume_from is not None and file.resolve() == self.resume_from.resolve()

    def _epochs(self) -> list[tuple[int, Path]]:
        pattern = re.compile(rf"{re.escape(self.path.stem)}\.epoch(\d+){self.path.suffix}")
        named = [(pattern.fullmatch(file.name), file) for file in self.path.parent.iterdir()]
        return [(int(match[1]), file) for match, file in named if match]


def load_state(states: States, processes: Processes) -> dict[str, Any] | None:
    """Return the state that all processes resume from, or None.

    Raises
    ------
    InputError
        In all processes: `States.load` failed in the first, or they found different states.
    """
    state, problem = None, None
    if processes.is_first:  # it sets a state with other settings aside
        try:
            state = states.load(NEEDED)
        except InputError as error:
            problem = error
    problem = processes.gather(problem)[0]
    if problem is not None:
        raise problem
    if not processes.is_first:
        state = states.load(NEEDED, set_aside=False)
    places = processes.gather((0, 0) if state is None else (state["epoch"], state["step"]))
    if len(set(places)) > 1:
        raise InputError(
            f"{states.path}: the processes found states of different (epoch, step):"
            f" {sorted(set(places))}; all nodes need the same results folder"
        )
    return state


def _is_best(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the last row has the highest class mAP of its half."""
    *earlier, last = [row.get("val_class_map") for row in rows if row["phase"] == rows[-1]["phase"]]
    return last is not None and all(value is None or last > value for value in earlier)


def random_state(device: torch.device) -> dict[str, Tensor | None]:
    """Return what `set_random_state` needs to continue the numbers of the CPU and one GPU."""
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_random_state(device: torch.device, state: dict[str, Tensor | None]) -> None:
    """Continue the random numbers of a state; one saved on a CPU leaves a GPU's unchanged."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
