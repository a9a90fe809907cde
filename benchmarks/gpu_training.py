"""What training needs from a GPU besides speed: exchange of gradients, and 16-bit numbers."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks import step
from benchmarks.gpu_sizes import Sizes
from benchmarks.timing import compare, relative_difference, table
from getam_core.networks import build_network
from getam_core.training import Getam
from getam_core.training.getam import BOTH
from getam_core.training.optimisation import Updater
from workflow_scripts.train import plan

SHOWN = 20  # steps at the end, over which losses are averaged
RATE = 1e-2  # learning rate of the steps; the optimiser is SGD, as in the paper's setting


def exchange(sizes: Sizes, device: torch.device) -> str:
    """Compare steps whose gradients go through NCCL (gloo on a CPU) with steps without exchange."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    with TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        dist.init_process_group(backend, init_method=meeting, rank=0, world_size=1)
        try:
            return _exchange(sizes, device, backend)
        finally:
            dist.destroy_process_group()


def _exchange(sizes: Sizes, device: torch.device, backend: str) -> str:
    case = sizes.paper()
    network = built(case, device)
    batch = step.on_device(step.made_batch(step.IMAGES, case.side), device)
    objective = objective_of(network, case)
    wrapped = DistributedDataParallel(objective, gradient_as_bucket_view=True)
    updater = Updater(network, plan(step.VOC).optimizer_of(network), device)  # at rate 0
    forms = {
        name: partial(updater.step, form, [(1.0, batch)], BOTH)
        for name, form in (("alone", objective), (backend, wrapped))
    }
    for form in forms.values():
        form()
    seconds, values = compare(forms, sizes.rounds, device)
    difference = relative_difference(values[backend], values["alone"])
    times = [f"{spent:.3f}" for spent in seconds.values()]
    columns = ["backend", "alone, s", "exchanging, s", "difference of losses and gradient's norm"]
    return table(columns, [[backend, *times, f"{difference:.0e}"]])


def losses(sizes: Sizes, device: torch.device) -> str:
    """Train the same network on one batch in three number formats; the losses should agree."""
    case = sizes.paper()
    first = built(case, device)
    batch = step.on_device(step.made_batch(step.IMAGES, case.side), device)
    rows = []
    for form in (torch.float32, torch.bfloat16, torch.float16):
        values, scale = _train(deepcopy(first), case, batch, form, sizes.steps)
        last = values[-SHOWN:].mean(0)
        figures = [values[0, 0], last[0], *last[1:-1]]
        shown = [f"{float(figure):.4f}" for figure in figures]
        rows.append([str(form).removeprefix("torch."), *shown, f"{scale:g}"])
    ends = [f"loss, the last {SHOWN}", *Getam.terms]
    return table(["format", "loss, step 1", *ends, "scale of the loss"], rows)


def _train(
    network: nn.Module, case: step.Case, batch: step.Batch, form: torch.dtype, steps: int
) -> tuple[Tensor, float]:
    """Return what each step measured, (steps, 1 + terms + 1), and the loss's scale at the end."""
    optimizer = plan(step.VOC).optimizer_of(network)
    for group in optimizer.param_groups:
        group["lr"] = RATE
    updater = Updater(network, optimizer, batch.images.device, number_format=form)
    objective = objective_of(network, case)
    values = [updater.step(objective, [(1.0, batch)], BOTH).cpu() for _ in range(steps)]
    return torch.stack(values), updater.scaler.get_scale()


def built(case: step.Case, device: torch.device) -> nn.Module:
    """Build the case's network with random weights, the same ones each time."""
    torch.manual_seed(0)
    return build_network(num_classes=step.CLASSES, **case.model).to(device).train()


def objective_of(network: nn.Module, case: step.Case) -> Getam:
    """Return the objective of the second half with the paper's weights."""
    return Getam(network, case.labelling, step.VOC.train.losses.model_dump())
