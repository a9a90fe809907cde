"""Additions to mmengine's training loop: saved state, progress, stopping, bfloat16."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn
from tqdm import tqdm

from getam_core.data.loader import signals_held
from getam_core.errors import InputError, Interrupted
from getam_core.files import atomic_path
from getam_core.networks.openmmlab import LOOPS, OPTIM_WRAPPERS


@LOOPS.register_module()
class ResumedLoop(IterBasedTrainLoop):
    """mmengine's loop over steps, with a sampler that begins at the first remaining step.

    mmengine's own loop reads every batch of the completed steps again to reach that step.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        with signals_held():  # it starts the loader's workers
            super().__init__(*arguments, **options)

    def run(self) -> nn.Module:
        """Train to the last step."""
        assert self.dataloader.sampler.start == self.iter
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        try:
            for batch in self.dataloader:
                self.runner.model.train()
                self.run_iter(batch)
        finally:  # ends the workers, which otherwise stay for further epochs
            self.dataloader_iterator = self.dataloader._iterator = None
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model


class StateHook(Hook):
    """Save the state periodically, and before stopping on request.

    mmengine's `CheckpointHook` writes in place and deletes the previous state, so that a process
    killed while it writes leaves nothing to resume from.

    Parameters
    ----------
    state : Path
        The file; it is replaced once the new one is complete.
    settings : dict
        What the state belongs to; see `getam_core.checkpoint.load_resumable`.
    minutes : float
        Between saves.
    requests : list of int
        Of `getam_core.signals.interruptible`.
    """

    priority = "VERY_LOW"  # after the schedule's step, which belongs to the state

    def __init__(
        self, state: Path, settings: dict[str, Any], minutes: float, requests: list[int]
    ) -> None:
        self.state, self.settings = state, settings
        self.minutes, self.requests = minutes, requests
        self.saved = time.monotonic()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the settings, and keep only tensors and plain values.

        `weights_only=True` then reads the state without allowing any class of mmengine or NumPy.
        The configuration is removed too: it is a text, which mmengine would execute.
        """
        checkpoint["settings"] = self.settings
        checkpoint["meta"].pop("cfg", None)
        hub = checkpoint["message_hub"]
        hub["runtime_info"] = {}  # all of it is known, or computed again
        hub["log_scalars"] = {
            name: [torch.tensor(values) for values in history.data]
            for name, history in hub["log_scalars"].items()
        }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restore mmengine's records."""
        hub = checkpoint["message_hub"]
        hub["log_scalars"] = {
            name: HistoryBuffer(*(values.numpy() for values in history))
            for name, history in hub["log_scalars"].items()
        }

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Refuse a loss that is not finite; save if due; stop if asked to."""
        loss = outputs["loss"].item()
        if not math.isfinite(loss):
            raise InputError(
                f"the loss is {loss} in iteration {runner.iter + 1};"
                " lower deeplab.learning_rate or deeplab.head_rate"
            )
        stop = _any_process(bool(self.requests))
        if stop or time.monotonic() - self.saved > 60 * self.minutes:
            self.save(runner)
        if stop:
            raise Interrupted(
                f"state saved in {self.state}; run the same command to resume", *self.requests
            )

    def save(self, runner: Runner) -> None:
        """Write the state of the training after the current step."""
        if is_main_process():
            with atomic_path(self.state) as temporary:
                runner.save_checkpoint(str(temporary.parent), temporary.name, by_epoch=False)
        self.saved = time.monotonic()


def _any_process(here: bool) -> bool:
    """Whether `here` holds in any process: all must leave the loop after the same step."""
    if get_world_size() == 1:
        return here
    flag = torch.tensor([float(here)])
    all_reduce(flag, "max")
    return bool(flag.item())


class ProgressHook(Hook):
    """A progress bar with the loss; mmengine's `LoggerHook` writes a line from time to time."""

    priority = "LOWEST"

    def __init__(self, start: int, steps: int) -> None:
        self.bar = tqdm(
            total=steps,
            initial=start,
            desc="retrain",
            unit="step",
            smoothing=0.05,
            disable=not is_main_process(),
        )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Count the step."""
        self.bar.set_postfix(loss=f"{outputs['loss'].item():.3f}", refresh=False)
        self.bar.update()


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Forward passes in bfloat16, on GPUs and CPUs; parameters and losses stay float32.

    mmengine's `AmpOptimWrapper` refuses CPUs, and scales losses, which bfloat16 does not need.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast what runs inside."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield
