"""The training loop: epochs of steps, resumable to the bit between any two of them."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from getam_core.checkpoint import load_resumable, save_checkpoint
from getam_core.data import TrainingSet, image_loader
from getam_core.errors import InputError, Interrupted
from getam_core.training.interrupt import interruptible
from getam_core.training.metrics import TERMS, shown
from getam_core.training.objective import (
    Batch,
    Labelling,
    StepOutputs,
    classification_step,
    double_backward_step,
)
from getam_core.training.precision import uses_bfloat16
from getam_core.training.schedule import Schedule, build_optimizer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How long and how to train; rates and scales are by parameter group."""

    epochs: int
    classification_epochs: int
    batch_size: int
    optimizer: str
    learning_rate: dict[str, float]
    second_half_scale: dict[str, float]
    schedule: str
    warmup: float
    weight_decay: float
    gradient_clip: float | None
    precision: str
    loss_weights: dict[str, float]
    labelling: Labelling
    saliency_threshold: float | None  # None: labels and loss without saliency
    seed: int = 0
    validate_every: int = 1
    checkpoint_minutes: float = 10.0


class Trainer:
    """Trains `network` on `training_set` by `plan`, in place.

    Parameters
    ----------
    validate : callable, optional
        Called with the network in evaluation mode; returns class mAP in percent, or None.
    state : Path
        The resume state, kept outside the workflow's outputs: rewritten every epoch, every
        `plan.checkpoint_minutes` and on SIGINT or SIGTERM.
    settings : dict
        Plain values that identify the run: state of others is set aside, not resumed.
    events : Path
        Folder of the TensorBoard events.
    """

    def __init__(
        self,
        network: nn.Module,
        training_set: TrainingSet,
        plan: Plan,
        *,
        validate: Callable[[nn.Module], float | None] | None,
        state: Path,
        settings: dict[str, Any],
        events: Path,
        device: torch.device,
        workers: int = 0,
    ):
        self.network, self.training_set, self.plan = network.to(device), training_set, plan
        self.validate, self.state, self.settings = validate, state, settings
        self.device, self.workers, self.events = device, workers, events
        self.steps_per_epoch = -(-len(training_set) // plan.batch_size)
        self.bfloat16 = uses_bfloat16(plan.precision, device)
        self.optimizer = build_optimizer(
            network.parameter_groups(), plan.optimizer, plan.weight_decay
        )
        self.schedule = Schedule(
            steps=plan.epochs * self.steps_per_epoch,
            second_half=plan.classification_epochs * self.steps_per_epoch,
            base=plan.learning_rate,
            second_half_scale=plan.second_half_scale,
            kind=plan.schedule,
            warmup=plan.warmup,
        )
        self.epoch, self.step = 0, 0  # the next epoch, and the next step in it
        self.sums = torch.zeros(1 + len(TERMS), dtype=torch.float64)
        self.rows: list[dict[str, Any]] = []

    def run(self) -> list[dict[str, Any]]:
        """Train to the end, from the saved state if there is one; return the rows of metrics.csv.

        Raises
        ------
        Interrupted
            On SIGINT or SIGTERM, once the state is saved.
        """
        self._resume()
        start = self.epoch * self.steps_per_epoch + self.step
        with (
            interruptible() as requests,
            SummaryWriter(str(self.events), purge_step=start) as writer,
        ):
            while self.epoch < self.plan.epochs:
                row = self._run_epoch(requests)
                self.rows.append(row)
                self._log(writer, row)
                self.epoch, self.step = self.epoch + 1, 0
                self.sums.zero_()
                self._save()
        return self.rows

    def _run_epoch(self, requests: list[int]) -> dict[str, Any]:
        self.network.train()
        self.training_set.set_epoch(self.epoch)
        started, images, saved = time.monotonic(), 0, time.monotonic()
        with tqdm(
            total=self.steps_per_epoch * self.plan.batch_size,
            initial=self.step * self.plan.batch_size,
            desc=f"epoch {self.epoch + 1}/{self.plan.epochs} ({self.phase})",
            unit="image",
            smoothing=0.05,
        ) as progress:
            for batch in self._batches():
                self._update(batch)
                images += len(batch.images)
                progress.update(self.plan.batch_size)
                progress.set_postfix(loss=f"{self.sums[0].item() / self.step:.3f}", refresh=False)
                if requests:
                    self._save()
                    raise Interrupted(f"state saved in {self.state}; the same command goes on")
                if time.monotonic() - saved > 60 * self.plan.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()
        return self._summarise(images / max(time.monotonic() - started, 1e-9))

    @property
    def phase(self) -> str:
        """The half that the current epoch belongs to."""
        return "classification" if self.epoch < self.plan.classification_epochs else "both"

    def _batches(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(1_000_003 * self.plan.seed + self.epoch)
        order = torch.randperm(len(self.training_set), generator=generator)
        batches = [b.tolist() for b in order.split(self.plan.batch_size)][self.step :]
        loader = image_loader(
            self.training_set,
            batch_sampler=batches,
            num_workers=self.workers,
            generator=generator,  # its own, or a resumed epoch would draw once more from the global
            pin_memory=self.device.type == "cuda",
        )
        threshold = self.plan.saliency_threshold
        for item in loader:
            item = {key: value.to(self.device, non_blocking=True) for key, value in item.items()}
            saliency = None if threshold is None else item["saliency"] > threshold
            yield Batch(item["image"], item["target"], item["valid"], saliency)

    def _update(self, batch: Batch) -> None:
        self.schedule.apply(self.optimizer, self.epoch * self.steps_per_epoch + self.step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            outputs = self._forward(batch)
        loss = outputs.terms.total(self.plan.loss_weights)
        if not torch.isfinite(loss):
            raise InputError(
                f"the loss is {loss.item()} in epoch {self.epoch + 1}, step {self.step + 1};"
                " lower train.learning_rate or set train.gradient_clip"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.plan.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.gradient_clip)
        self.optimizer.step()
        values = [loss.detach(), *(value.detach() for _, value in outputs.terms.items())]
        self.sums += torch.stack(values).cpu()
        self.step += 1

    def _forward(self, batch: Batch) -> StepOutputs:
        if self.phase == "classification":
            return classification_step(self.network, batch)
        return double_backward_step(self.network, batch, self.plan.labelling)

    def _summarise(self, images_per_second: float) -> dict[str, Any]:
        means = (self.sums / self.steps_per_epoch).tolist()
        last_step = (self.epoch + 1) * self.steps_per_epoch - 1
        row = {
            "epoch": self.epoch + 1,
            "step": last_step + 1,
            "phase": self.phase,
            "lr": self.schedule.rate("backbone", last_step),
            "loss": means[0],
            **{f"loss_{name}": value for name, value in zip(TERMS, means[1:], strict=True)},
            "images_per_second": images_per_second,
            "val_class_map": self._validated(),
        }
        log.info(", ".join(f"{key} {shown(value)}" for key, value in row.items()))
        return row

    def _validated(self) -> float | None:
        last = self.epoch + 1 in (self.plan.classification_epochs, self.plan.epochs)
        if self.validate is None or not (last or (self.epoch + 1) % self.plan.validate_every == 0):
            return None
        self.network.eval()
        return self.validate(self.network)

    def _log(self, writer: SummaryWriter, row: dict[str, Any]) -> None:
        for key, value in row.items():
            if isinstance(value, float):
                writer.add_scalar(key.replace("loss_", "loss/"), value, row["step"])

    def _resume(self) -> None:
        state = load_resumable(self.state, self.settings)
        if state is None:
            torch.manual_seed(self.plan.seed)
            return
        self.network.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step, self.rows = state["epoch"], state["step"], state["rows"]
        self.sums = state["sums"]
        torch.set_rng_state(state["rng"]["cpu"])
        if self.device.type == "cuda" and state["rng"]["cuda"] is not None:
            torch.cuda.set_rng_state(state["rng"]["cuda"], self.device)
        log.info("resumed %s at epoch %d, step %d", self.state, self.epoch + 1, self.step)

    def _save(self) -> None:
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        save_checkpoint(
            self.state,
            {
                "model": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "epoch": self.epoch,
                "step": self.step,
                "rows": self.rows,
                "sums": self.sums,
                "rng": {"cpu": torch.get_rng_state(), "cuda": cuda},
                "settings": self.settings,
            },
        )
