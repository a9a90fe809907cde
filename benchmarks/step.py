"""A step of the second half against the published algorithm and against training on given labels.

All but the networks is as in `config/voc.yaml`: images per step, their size, the optimiser.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import published
from benchmarks.memory import peak_megabytes
from benchmarks.timing import CPU, compare, table
from getam_core.networks import build_network
from getam_core.precision import number_format
from getam_core.settings import Settings, load_settings
from getam_core.training import Batch, Getam, Labelling, double_backward_step
from getam_core.training.getam import BOTH
from getam_core.training.optimisation import Updater
from workflow_scripts.objectives import labelling_of
from workflow_scripts.train import plan

CLASSES = 20
PRESENT = (1, 1, 2, 2)  # classes of the images of a batch
CONFIG = Path(__file__).parents[1] / "config"
VOC = load_settings(CONFIG / "voc.yaml")
IMAGES, SIDE = VOC.train.batch_size, VOC.train.crop_size


@dataclass(frozen=True)
class Case:
    """A network by the arguments of `build_network`, and how (c) labels what it trains on."""

    name: str
    model: dict[str, Any]
    labelling: Labelling

    @property
    def side(self) -> int:
        """Side of the square images, pixels."""
        return self.model["image_size"]


def small_cases() -> list[Case]:
    """Return networks that a CPU can train."""
    plain = {"name": "vit_small_patch16_224", "image_size": SIDE}
    return [
        Case("ViT-S/16", plain, Labelling()),
        _case_of("voc_mini", "voc_mini's ViT-Ti"),
        _case_of("voc_mini_hybrid", "voc_mini_hybrid's"),
    ]


def _case_of(run: str, name: str) -> Case:
    """Return a run's network, labelled at its own scale."""
    settings = load_settings(CONFIG / f"{run}.yaml")
    labelling = Labelling(labels={"scale": settings.train.labels.scale})
    return Case(name, untrained(settings), labelling)


def paper_case() -> Case:
    """Return the paper's network and labels, `config/voc.yaml`."""
    return Case(VOC.model.name, untrained(VOC), labelling_of(VOC))


def untrained(run: Settings) -> dict[str, Any]:
    """Return the arguments of `build_network` for a run's network, with random weights."""
    model = run.model.model_dump()
    stem = model["stem"] and model["stem"] | {"weights": None}
    return model | {"image_size": SIDE, "weights": None, "stem": stem}


def made_batch(images: int, side: int) -> Batch:
    """Square images of blurred patches, the first classes present, blobs that are salient."""
    torch.manual_seed(0)
    present = torch.tensor(list(islice(cycle(PRESENT), images)))

    def blurred(channels: int, cells: int) -> Tensor:
        coarse = torch.rand(images, channels, cells, cells)
        return F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)

    return Batch(
        images=blurred(3, 16),
        targets=torch.arange(CLASSES) < present[:, None],
        valid=torch.ones(images, side, side, dtype=torch.bool),
        saliency=blurred(1, 8)[:, 0] > 0.5,
    )


def formats(device: torch.device) -> list[torch.dtype]:
    """float32, and bfloat16 where the device multiplies it in hardware."""
    own = number_format("auto", device)
    return [torch.float32, torch.bfloat16] if own == torch.bfloat16 else [torch.float32]


def print_table(rounds: int, device: torch.device = CPU, *, paper: bool = False) -> None:
    """Print the table and, with `paper`, that of the paper's setting; rounds as in `compare`."""
    of_images = f"{IMAGES} images of {SIDE} px with {PRESENT} classes"
    print(f"\n## step: {of_images}, seconds\n")
    print(table(COLUMNS, [row for case in small_cases() for row in rows(case, rounds, device)]))
    if paper:
        print("\n## step: the paper's setting (config/voc.yaml), seconds for 1,000 steps\n")
        print(table(COLUMNS, rows(paper_case(), rounds, device, steps=1000)))


COLUMNS = [
    "network, format", "(a) published", "(b) supervised", "(c) ours", "(c) images/s", "a / c",
    "c / b", "same labels, %", "(a) MB", "(b) MB", "(c) MB",
]  # fmt: skip


def rows(case: Case, rounds: int, device: torch.device, steps: int = 1) -> list[list[str]]:
    """Measure one network, a row for each number format, in seconds for `steps` steps."""
    torch.manual_seed(0)
    network = build_network(num_classes=CLASSES, **case.model).to(device).train()
    batch = on_device(made_batch(IMAGES, case.side), device)
    forms = _forms(network, batch, case.labelling)
    for name, form in forms.items():  # the first pass of a process also loads and plans
        if not name.startswith("a"):
            form()
    peaks = {name: _peak(network, form) for name, form in forms.items()}
    spent, made = compare(forms, rounds, device)
    measured = []
    for each in formats(device):
        a, b, c = three = tuple(f"{form} {each}" for form in "abc")
        same = (made["a torch.float32"] == _labels(network, batch, each)).float().mean()
        measured.append(
            [
                f"{case.name}, {str(each).removeprefix('torch.')}",
                *(f"{steps * spent[form]:.{3 if steps == 1 else 0}f}" for form in three),
                f"{IMAGES / spent[c]:.2f}",
                f"{spent[a] / spent[c]:.1f}",
                f"{spent[c] / spent[b]:.2f}",
                f"{100 * float(same):.1f}",
                *("" if peaks[form] is None else f"{peaks[form]:.0f}" for form in three),
            ]
        )
    return measured


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch on a device, except for its targets, as `Batch.of` does."""
    tensors = {name: value for name, value in vars(batch).items() if value is not None}
    del tensors["targets"]
    return replace(batch, **{name: value.to(device) for name, value in tensors.items()})


def _forms(network: nn.Module, batch: Batch, labelling: Labelling) -> dict[str, Callable[[], Any]]:
    """Return the steps of all forms, at learning rate 0 so that the network stays the same."""
    device, optimizer = batch.images.device, plan(VOC).optimizer_of(network)
    given = replace(batch, saliency=None, labels=_labels(network, batch, torch.float32))
    objective = Getam(network, labelling, VOC.train.losses.model_dump())
    forms = {}
    for each in formats(device):
        updater = Updater(network, optimizer, device, number_format=each)
        forms[f"a {each}"] = partial(published.step, network, batch, optimizer, each)
        forms[f"b {each}"] = partial(updater.step, objective, [(1.0, given)], BOTH)
        forms[f"c {each}"] = partial(updater.step, objective, [(1.0, batch)], BOTH)
    return forms


def _peak(network: nn.Module, form: Callable[[], Any]) -> float | None:
    """Return the memory of a step that begins without gradients, MB, as `peak_megabytes`."""
    network.zero_grad()
    return peak_megabytes(form, next(network.parameters()).device)


def _labels(network: nn.Module, batch: Batch, form: torch.dtype) -> Tensor:
    """Return our labels, refined at full size like those of (a)."""
    kind = batch.images.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=form == torch.bfloat16):
        return double_backward_step(network, batch, Labelling()).labels
