"""Retraining by mmengine's Runner; resuming between any two steps is bit-identical."""

import csv
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import nn

from getam_core.checkpoint import load_resumable
from getam_core.data.loader import errors_of_workers
from getam_core.deeplab.hooks import ProgressHook, StateHook
from getam_core.deeplab.recipe import data_recipe, schedule_recipe
from getam_core.errors import InputError
from getam_core.files import atomic_path
from getam_core.signals import interruptible

log = logging.getLogger(__name__)

LINES = 200  # of metrics.csv, at most
COLUMNS = ("step", "lr", "loss", "accuracy")


@dataclass(frozen=True)
class DeepLabPlan:
    """How long and how to train; `batch_size` is that of all processes together."""

    iterations: int
    batch_size: int
    crop_size: int
    scale_range: tuple[float, float]
    learning_rate: float
    head_rate: float
    weight_decay: float
    bfloat16: bool = False
    seed: int = 0
    checkpoint_minutes: float = 10.0

    @property
    def interval(self) -> int:
        """Steps between two lines of the log and of metrics.csv."""
        return max(10, -(-self.iterations // LINES))


def train_deeplab(
    network: nn.Module,
    plan: DeepLabPlan,
    *,
    index: Path,
    labels: Path,
    classes: Sequence[str],
    state: Path,
    settings: dict[str, Any],
    events: Path,
    device: torch.device,
    workers: int = 0,
) -> list[dict[str, float]]:
    """Train `network` in place, from the saved state if there is one.

    In a group of processes (`torch.distributed`) each takes its share of every batch.

    Parameters
    ----------
    network : nn.Module
        Of `build_deeplab`, with its initial weights.
    index, labels : Path
        index.csv, and a store of kind "labels" of its training images.
    classes : sequence of str
        Names of the C foreground classes.
    state : Path
        The resume state, kept outside the workflow's outputs.
    settings : dict
        Plain values that identify the run: a state with others is set aside, not resumed.
    events : Path
        Folder of the TensorBoard events.

    Returns
    -------
    list of dict
        Rows of metrics.csv: step, lr (of the backbone, in that step), and two means since the
        previous row, over known pixels: loss (cross entropy) and accuracy (percent).

    Raises
    ------
    InputError
        Labels that do not fit the images, a batch that the processes cannot share, a loss that is
        not finite.
    Interrupted
        On a signal of `STOPS`, once the state is saved.
    """
    with interruptible() as requests, TemporaryDirectory() as notes:
        start = _first_step(state, settings)
        data = _data(plan, start, workers, index=index, labels=labels, classes=classes)
        data["pin_memory"] = device.type == "cuda"
        progress = ProgressHook(start, plan.iterations)
        hooks = [StateHook(state, settings, plan.checkpoint_minutes, requests), progress]
        runner = _runner(network, plan, data, hooks, events, notes, str(state) if start else None)
        try:
            with errors_of_workers():
                runner.train()
        finally:
            runner.visualizer.close()
            progress.bar.close()
    return _rows(runner.message_hub, plan)


def _data(plan: DeepLabPlan, start: int, workers: int, **files: Any) -> dict[str, Any]:
    """Unpack the plan into `data_recipe`, with this process's share of every batch."""
    processes = get_world_size()
    if plan.batch_size % processes:
        raise InputError(
            f"deeplab.batch_size: {plan.batch_size} images cannot be divided equally among"
            f" {processes} GPUs"
        )
    return data_recipe(
        **files,
        seed=plan.seed,
        batch_size=plan.batch_size,
        processes=processes,
        workers=workers,
        crop_size=plan.crop_size,
        scale_range=plan.scale_range,
        iterations=plan.iterations,
        start=start,
    )


def _first_step(state: Path, settings: dict[str, Any]) -> int:
    """Return the step to start from; only one process looks, as it may set the state aside."""
    found = [0]
    if is_main_process():
        saved = load_resumable(state, settings)
        found = [saved["meta"]["iter"] if saved else 0]
    broadcast_object_list(found)
    if found[0]:
        log.info("resumed %s at step %d", state, found[0])
    return found[0]


def _runner(
    network: nn.Module,
    plan: DeepLabPlan,
    data: dict[str, Any],
    hooks: list[Hook],
    events: Path,
    notes: str,
    resumed: str | None,
) -> Runner:
    """Assemble mmengine's Runner; its log goes where ours goes, its own files to `notes`."""
    grouped = get_world_size() > 1
    runner = Runner(
        model=network,
        work_dir=notes,
        train_dataloader=data,
        **schedule_recipe(
            iterations=plan.iterations,
            learning_rate=plan.learning_rate,
            head_rate=plan.head_rate,
            weight_decay=plan.weight_decay,
            bfloat16=plan.bfloat16,
        ),
        default_hooks={
            "checkpoint": None,  # replaced by StateHook; see there
            "logger": {"type": "LoggerHook", "interval": plan.interval, "ignore_last": False},
        },
        custom_hooks=hooks,
        log_processor={"window_size": plan.interval, "by_epoch": False},
        visualizer={
            "type": "Visualizer",
            "vis_backends": [{"type": "TensorboardVisBackend", "save_dir": str(events)}],
        },
        env_cfg={"mp_cfg": {"opencv_num_threads": 1}},
        launcher="pytorch" if grouped else "none",
        randomness={"seed": plan.seed},
        load_from=resumed,
        resume=resumed is not None,
        log_level="ERROR",
        default_scope="mmseg",
        experiment_name=uuid.uuid4().hex,  # mmengine shares objects of the same name
        cfg=_group_settings() if grouped else None,
    )
    runner.logger.handlers[:] = [_StepLines()]
    return runner


class _StepLines(logging.Handler):
    """Passes on what mmengine logs of the steps, not its lists of parameters and plans."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("Iter(train)") or record.levelno >= logging.ERROR:
            log.log(record.levelno, text)


def _group_settings() -> dict[str, Any]:
    """How mmengine wraps a network that several processes train."""
    if torch.cuda.is_available():
        return {"sync_bn": "torch"}
    return {"model_wrapper_cfg": {"type": "MMDistributedDataParallel", "device_ids": None}}


def _rows(history: MessageHub, plan: DeepLabPlan) -> list[dict[str, float]]:
    """Summarise what mmengine recorded, which is part of the state, as rows of metrics.csv."""
    scalars = {
        name: history.get_scalar(f"train/{key}").data[0]
        for name, key in (("lr", "lr"), ("loss", "loss"), ("accuracy", "decode.acc_seg"))
    }
    rows = []
    for first in range(0, plan.iterations, plan.interval):
        end = min(first + plan.interval, plan.iterations)
        means = {k: float(scalars[k][first:end].mean()) for k in ("loss", "accuracy")}
        rows.append({"step": end, "lr": float(scalars["lr"][end - 1]), **means})
    return rows


def write_rows(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write metrics.csv, with six significant digits."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: f"{row[key]:.6g}" for key in COLUMNS} for row in rows)
