"""The training loop: epochs of steps, resumable to the bit between any two of them."""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from getam_core.data.training_set import TrainingSet
from getam_core.errors import InputError, Interrupted
from getam_core.training.batches import Order, load_parts
from getam_core.training.distributed import Processes
from getam_core.training.interrupt import interruptible
from getam_core.training.metrics import TERMS, EventLog, shown
from getam_core.training.objective import Batch, Objective
from getam_core.training.plan import Plan
from getam_core.training.precision import number_format
from getam_core.training.random_state import random_state, set_random_state
from getam_core.training.schedule import Schedule, build_optimizer
from getam_core.training.states import States, load_state
from getam_core.training.update import Updater

log = logging.getLogger(__name__)
CLASSIFICATION, BOTH = "classification", "both"


class Trainer:
    """Trains `network` on `training_set` by `plan`, in place.

    Parameters
    ----------
    validate : callable, optional
        Called with the network in evaluation mode; returns class mAP in percent, or None.
    draw : callable, optional
        Called with the network after every epoch; returns a picture of training images, (H, W, 3)
        uint8 RGB, for TensorBoard. It draws no random number.
    states : States
        Saved every epoch, every `plan.checkpoint_minutes` and on SIGINT or SIGTERM.
    events : Path
        Folder of the TensorBoard events.
    workers : int
        Of the loader, in this process.
    processes : Processes
        Those that train together, each in a `Trainer` of the same arguments. The first one
        validates and writes.
    """

    def __init__(
        self,
        network: nn.Module,
        training_set: TrainingSet,
        plan: Plan,
        *,
        validate: Callable[[nn.Module], float | None] | None,
        draw: Callable[[nn.Module], np.ndarray] | None = None,
        states: States,
        events: Path,
        device: torch.device,
        workers: int = 0,
        processes: Processes | None = None,
    ):
        self.processes = processes or Processes()
        self.network = network = self.processes.share_statistics(network.to(device), device)
        self.training_set, self.plan = training_set, plan
        self.validate, self.draw, self.states, self.events = validate, draw, states, events
        self.device, self.workers = device, workers
        self.steps_per_epoch = -(-len(training_set) // plan.batch_size)
        self.updater = Updater(
            network,
            build_optimizer(network.parameter_groups(), plan.optimizer, plan.weight_decay),
            device,
            number_format=number_format(plan.precision, device),
            gradient_clip=plan.gradient_clip,
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
            On SIGINT or SIGTERM in any of the processes, once the state is saved.
        """
        self._resume()
        logged = self._step_of_run() + (self.step == 0)  # an epoch's row has its last step + 1
        objective, phase = None, None
        with (
            interruptible() as requests,
            EventLog(self.events if self.processes.is_first else None, logged) as events,
        ):
            while self.epoch < self.plan.epochs:
                if phase != self.phase:
                    objective, phase = self._objective(), self.phase
                row = self._run_epoch(objective, requests)
                self.rows.append(row)
                events.write(row)
                if self.draw is not None and self.processes.is_first:
                    events.show(self.draw(self.network), row["step"])
                self.epoch, self.step = self.epoch + 1, 0
                self.sums.zero_()
                self._save(end_of_epoch=True)
        return self.rows

    @property
    def phase(self) -> str:
        """The half that the current epoch belongs to."""
        return CLASSIFICATION if self.epoch < self.plan.classification_epochs else BOTH

    def _objective(self) -> nn.Module:
        """Return the objective of the current half, across the processes."""
        objective = Objective(
            self.network,
            self.plan.labelling,
            self.plan.loss_weights,
            both=self.phase == BOTH,
            energy=self.plan.energy,
            count=self.processes.count,
        )
        # the first half leaves out the decoder
        return self.processes.wrap(objective, self.device, unused=self.phase != BOTH)

    def _run_epoch(self, objective: nn.Module, requests: list[int]) -> dict[str, Any]:
        self.network.train()
        started = saved = time.monotonic()
        images = 0
        with self._progress() as progress, closing(self._batches()) as batches:
            for size, parts in batches:
                self.schedule.apply(self.updater.optimizer, self._step_of_run())
                values = self.updater.step(objective, parts)
                due = time.monotonic() - saved > 60 * self.plan.checkpoint_minutes
                stop, due = self._account(values, stop=bool(requests), due=due)
                images += size
                progress.update(size)
                progress.set_postfix(loss=f"{self.sums[0].item() / self.step:.3f}", refresh=False)
                if stop or due:
                    self._save()
                    saved = time.monotonic()
                if stop:
                    raise Interrupted(
                        f"state saved in {self.states.path}; the same command goes on", *requests
                    )
        seconds = time.monotonic() - started
        return self._summarise(images / seconds if images else None)

    def _batches(self) -> Generator[tuple[int, list[tuple[float, Batch]]]]:
        """Load what is left of the epoch; to be closed, which ends the loader's workers."""
        plan = self.plan
        return load_parts(
            self.training_set,
            Order(plan.seed, self.epoch, plan.batch_size, plan.accumulate),
            start=self.step,
            processes=self.processes,
            device=self.device,
            workers=self.workers,
            saliency_threshold=plan.saliency_threshold,
        )

    def _progress(self) -> tqdm:
        return tqdm(
            total=len(self.training_set),
            initial=min(self.step * self.plan.batch_size, len(self.training_set)),
            desc=f"epoch {self.epoch + 1}/{self.plan.epochs} ({self.phase})",
            unit="image",
            smoothing=0.05,
            disable=not self.processes.is_first,
        )

    def _step_of_run(self) -> int:
        """Return the number of the current step in the run, from 0."""
        return self.epoch * self.steps_per_epoch + self.step

    def _account(self, values: Tensor, *, stop: bool, due: bool) -> tuple[bool, bool]:
        """Add up a step; return whether any process wants to stop, and the first one to save.

        `values` are of `Updater.step`.
        """
        due = due and self.processes.is_first
        wishes = torch.tensor([stop, due], dtype=torch.float64, device=self.device)
        shared = self.processes.sum(torch.cat([values.double(), wishes])).cpu()
        values, (stop, due) = shared[:-2] / self.processes.size, shared[-2:] > 0
        if not values.isfinite().all():
            what = "gradient" if values[:-1].isfinite().all() else "loss"
            raise InputError(
                f"the {what} is not finite in epoch {self.epoch + 1}, step {self.step + 1};"
                " lower train.learning_rate or set train.gradient_clip"
            )
        self.sums += values[:-1]
        self.step += 1
        return bool(stop), bool(due)

    def _summarise(self, images_per_second: float | None) -> dict[str, Any]:
        means = (self.sums / self.steps_per_epoch).tolist()
        last_step = self._step_of_run() - 1
        row = {
            "epoch": self.epoch + 1,
            "step": last_step + 1,
            "phase": self.phase,
            "lr": self.schedule.rate(self.updater.optimizer.param_groups[0]["name"], last_step),
            "loss": means[0],
            **{f"loss_{name}": value for name, value in zip(TERMS, means[1:], strict=True)},
            "images_per_second": images_per_second,
            "val_class_map": self._validated(),
        }
        log.info(", ".join(f"{key} {shown(value)}" for key, value in row.items()))
        return row

    def _validated(self) -> float | None:
        """Return class mAP in the first process, where it is due; the epoch's steps are saved."""
        last = self.epoch + 1 in (self.plan.classification_epochs, self.plan.epochs)
        if self.validate is None or not (last or (self.epoch + 1) % self.plan.validate_every == 0):
            return None
        self._save()
        if not self.processes.is_first:
            return None
        self.network.eval()
        return self.validate(self.network)

    def _resume(self) -> None:
        processes, state = self.processes, load_state(self.states, self.processes)
        torch.manual_seed(self.plan.seed + 1_000_003 * processes.rank)
        if state is None:
            return
        self.network.load_state_dict(state["model"])
        self.updater.load(state)
        self.epoch, self.step, self.rows = state["epoch"], state["step"], state["rows"]
        self.sums = state["sums"]
        if processes.rank < len(state["rng"]):
            set_random_state(self.device, state["rng"][processes.rank])
        log.info("resumed at epoch %d, step %d", self.epoch + 1, self.step)

    def _save(self, *, end_of_epoch: bool = False) -> None:
        random_states = self.processes.gather(random_state(self.device))
        if not self.processes.is_first:
            return
        self.states.save(
            {
                "model": self.network.state_dict(),
                **self.updater.state(),
                "epoch": self.epoch,
                "step": self.step,
                "rows": self.rows,
                "sums": self.sums,
                "rng": random_states,
            }
        )
        if end_of_epoch:
            self.states.keep(self.rows)
