"""`metrics.csv` and the events of TensorBoard: what training measured, one row per epoch."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from getam_core.extras import needs
from getam_core.files import atomic_path


def write_metrics(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a line for each row; all have the same keys, and empty cells were not measured."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({key: shown(value) for key, value in row.items()} for row in rows)


def shown(value: Any) -> Any:
    """Return a float to six significant digits, an empty text for None."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


class EventLog:
    """Rows as scalars, and pictures, for TensorBoard, in `folder`; without one, nothing is logged.

    What an interrupted training logged from `step` on is hidden.
    """

    def __init__(self, folder: Path | None, step: int):
        self._writer = None
        if folder is not None:
            with needs("workflow", "events for TensorBoard (or give no folder for them)"):
                from torch.utils.tensorboard import SummaryWriter
            self._writer = SummaryWriter(str(folder), purge_step=step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Log the floats of a row, and flush them to disk."""
        if self._writer is None:
            return
        for key, value in row.items():
            if isinstance(value, float):
                self._writer.add_scalar(key.replace("loss_", "loss/"), value, row["step"])
        self._writer.flush()

    def show(self, picture: np.ndarray, step: int) -> None:
        """Log a picture of training images, (H, W, 3) uint8 RGB."""
        if self._writer is not None:
            self._writer.add_image("training images", picture, step, dataformats="HWC")
