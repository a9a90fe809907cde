"""The loop of every training: epochs of steps; resuming between any two is bit-identical."""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from getam_core.errors import InputError, Interrupted
from getam_core.precision import number_format
from getam_core.signals import interruptible
from getam_core.training.batches import load_parts
from getam_core.training.distributed import Part, Processes
from getam_core.training.metrics import EventLog, shown
from getam_core.training.optimisation import Updater
from getam_core.training.plan import Objective, Plan
from getam_core.training.states import States, load_state, random_state, set_random_state

log = logging.getLogger(__name__)


class Trainer:
    """Trains the network of an objective on images by a plan, in place.

    Parameters
    ----------
    images : Dataset
        Of samples that the objective takes, with `set_epoch`.
    validate : callable or None
        Called with the network in evaluation mode; returns class mAP in percent, or None.
    draw : callable or None
        Called with the network after every epoch; returns a picture of training images, (H, W, 3)
        uint8 RGB, for TensorBoard. It must not draw random numbers.
    states : States
        Saved every epoch, every `plan.checkpoint_minutes` and when asked to stop.
    events : Path or None
        Folder of the TensorBoard events.
    workers : int
        Of the loader, in this process.
    processes : Processes or None
        Those that train together, each in a `Trainer` with the same arguments. The first one
        validates and writes.
    """

    def __init__(
        self,
        objective: Objective,
        images: Dataset,
        plan: Plan,
        *,
        validate: Callable[[nn.Module], float | None] | None = None,
        draw: Callable[[nn.Module], np.ndarray] | None = None,
        states: States,
        events: Path | None = None,
        device: torch.device,
        workers: int = 0,
        processes: Processes | None = None,
    ):
        self.processes = processes or Processes()
        self.objective = self.processes.share_statistics(objective.to(device), device)
        self.images, self.plan = images, plan
        self.validate, self.draw, self.states, self.events = validate, draw, states, events
        self.device, self.workers = device, workers
        self.updater = Updater(
            self.network,
            plan.optimizer_of(self.network),
            device,
            number_format=number_format(plan.precision, device),
            gradient_clip=plan.gradient_clip,
        )
        self.steps_per_epoch = plan.order.steps(len(images))
        self.schedule = plan.rates(self.steps_per_epoch)
        self.epoch, self.step = 0, 0  # the next epoch, and the next step in it
        self.sums = torch.zeros(1 + len(objective.terms), dtype=torch.float64)
        self.rows: list[dict[str, Any]] = []
        self._wrapped: dict[bool, nn.Module] = {}

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.objective.network

    def run(self) -> list[dict[str, Any]]:
        """Train to the end, from the saved state if there is one; return the rows of metrics.csv.

        Raises
        ------
        Interrupted
            On a signal of `STOPS` to any of the processes, once the state is saved.
        """
        self._resume()
        logged = self._step_of_run() + (self.step == 0)  # an epoch's row has its last step + 1
        with (
            interruptible() as requests,
            EventLog(self.events if self.processes.is_first else None, logged) as events,
        ):
            while self.epoch < self.plan.epochs:
                row = self._run_epoch(requests)
                self.rows.append(row)
                events.write(row)
                if self.draw is not None and self.processes.is_first:
                    events.show(self.draw(self.network), row["step"])
                self.epoch, self.step = self.epoch + 1, 0
                self.sums.zero_()
                self._save(end_of_epoch=True)
        return self.rows

    def _run_epoch(self, requests: list[int]) -> dict[str, Any]:
        self.network.train()
        started = saved = time.monotonic()
        images = 0
        with self._progress() as progress, closing(self._batches()) as batches:
            for size, parts in batches:
                values = self._take_step(parts)
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
                        f"state saved in {self.states.path}; run the same command to resume",
                        *requests,
                    )
        seconds = time.monotonic() - started
        return self._summarise(images / seconds if images else None)

    def _take_step(self, parts: list[tuple[float, Any]]) -> Tensor:
        """Set the rates and update the network; return what `Updater.step` returns."""
        self.schedule.apply(self.updater.optimizer, self._step_of_run())
        phase = self.objective.phase(self.epoch + self.step / self.steps_per_epoch)
        unused = self.objective.leaves_out(phase)
        if unused not in self._wrapped:
            wrapped = self.processes.wrap(self.objective, self.device, unused=unused)
            self._wrapped = {unused: wrapped}  # frees the other one's gradient buckets
        return self.updater.step(self._wrapped[unused], parts, phase)

    def _batches(self) -> Generator[tuple[int, list[tuple[float, Any]]]]:
        """Load the rest of the epoch; closing the generator ends the loader's workers."""

        def prepare(samples: Any, part: Part) -> Any:
            return self.objective.batch(samples, self.device, idle=part.idle)

        return load_parts(
            self.images,
            self.plan.order,
            prepare,
            epoch=self.epoch,
            start=self.step,
            processes=self.processes,
            workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )

    def _progress(self) -> tqdm:
        total = min(len(self.images), self.steps_per_epoch * self.plan.batch_size)
        return tqdm(
            total=total,
            initial=min(self.step * self.plan.batch_size, total),
            desc=f"epoch {self.epoch + 1}/{self.plan.epochs} ({self.objective.phase(self.epoch)})",
            unit="image",
            smoothing=0.05,
            disable=not self.processes.is_first,
        )

    def _step_of_run(self) -> int:
        """Return the number of the current step in the run, from 0."""
        return self.epoch * self.steps_per_epoch + self.step

    def _account(self, values: Tensor, *, stop: bool, due: bool) -> tuple[bool, bool]:
        """Add up a step; return whether any process wants to stop, and if the first wants to save.

        `values` come from `Updater.step`.
        """
        due = due and self.processes.is_first
        wishes = torch.tensor([stop, due], dtype=torch.float64, device=self.device)
        shared = self.processes.sum(torch.cat([values.double(), wishes])).cpu()
        values, (stop, due) = shared[:-2] / self.processes.size, shared[-2:] > 0
        if not values.isfinite().all():
            what = "gradient" if values[:-1].isfinite().all() else "loss"
            raise InputError(
                f"the {what} is not finite in epoch {self.epoch + 1}, step {self.step + 1};"
                f" {self.plan.remedy}"
            )
        self.sums += values[:-1]
        self.step += 1
        return bool(stop), bool(due)

    def _summarise(self, images_per_second: float | None) -> dict[str, Any]:
        """Return the row of an epoch whose steps are done."""
        loss, *terms = (self.sums / self.steps_per_epoch).tolist()
        row = {
            "epoch": self.epoch + 1,
            "step": self._step_of_run(),
            "phase": self.objective.phase(self.epoch),
            "lr": self.updater.optimizer.param_groups[0]["lr"],
            "loss": loss,
            **{f"loss_{name}": x for name, x in zip(self.objective.terms, terms, strict=True)},
            "images_per_second": images_per_second,
        }
        if self.validate is not None:
            row["val_class_map"] = self._validated()
        log.info(", ".join(f"{key} {shown(value)}" for key, value in row.items()))
        return row

    def _validated(self) -> float | None:
        """If validation is due, save the state; return class mAP in the first process."""
        last = self.epoch + 1 in (self.plan.second_half, self.plan.epochs)
        if not (last or (self.epoch + 1) % self.plan.validate_every == 0):
            return None
        self._save()
        if not self.processes.is_first:
            return None
        self.network.eval()
        return self.validate(self.network)

    def _resume(self) -> None:
        state = load_state(self.states, self.processes)
        if self.plan.reseed or not self.processes.is_first:
            torch.manual_seed(self.plan.seed + 1_000_003 * self.processes.rank)
        if state is None:
            return
        self.network.load_state_dict(state["model"])
        self.updater.load(state)
        self.epoch, self.step, self.rows = state["epoch"], state["step"], state["rows"]
        self.sums = state["sums"]
        if self.processes.rank < len(state["rng"]):
            set_random_state(self.device, state["rng"][self.processes.rank])
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
