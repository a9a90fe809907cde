"""A step of the second half beside the published algorithm and beside training on given labels."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import published
from benchmarks.memory import peak_megabytes
from benchmarks.timing import compare, table
from getam_core.training import Batch, Labelling, double_backward_step
from getam_core.training.objective import Objective
from getam_core.training.precision import number_format
from getam_core.training.schedule import build_optimizer
from getam_core.training.update import Updater
from getam_core.vit import build_network

CLASSES, SIDE = 20, 256
PRESENT = (1, 1, 2, 2)  # classes of the four images of the batch
TERMS = ("classification", "foreground", "background", "saliency")
WEIGHTS = dict.fromkeys(TERMS, 1.0) | {"dense_energy": 0.0}
CPU = torch.device("cpu")
VOC_MINI = Path(__file__).parents[1] / "config" / "voc_mini.yaml"


def networks() -> dict[str, tuple[dict[str, Any], float]]:
    """Name to arguments of `build_network`, and the scale at which labels are refined."""
    run = yaml.safe_load(VOC_MINI.read_text())
    hybrid = run["model"] | {"image_size": SIDE, "stem": run["model"]["stem"] | {"weights": None}}
    calm = {key: value for key, value in hybrid["options"].items() if key != "drop_path_rate"}
    scale = run["train"]["labels"]["scale"]
    return {
        "ViT-S/16": ({"name": "vit_small_patch16_224", "image_size": SIDE}, 1.0),
        "voc_mini's hybrid": (hybrid, scale),
        "the same without drop-path": (hybrid | {"options": calm}, scale),
    }


def made_batch() -> Batch:
    """Four images of blurred patches, the first classes present, blobs that are salient."""
    torch.manual_seed(0)

    def blurred(channels: int, cells: int) -> Tensor:
        coarse = torch.rand(len(PRESENT), channels, cells, cells)
        return F.interpolate(coarse, (SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 1)

    return Batch(
        images=blurred(3, 16),
        targets=torch.arange(CLASSES) < torch.tensor(PRESENT)[:, None],
        valid=torch.ones(len(PRESENT), SIDE, SIDE, dtype=torch.bool),
        saliency=blurred(1, 8)[:, 0] > 0.5,
    )


COLUMNS = [
    "network, format of (b) and (c)", "(a) published", "(b) supervised", "(c) ours", "a / c",
    "c / b", "same labels, %", "(a) MB", "(b) MB", "(c) MB",
]  # fmt: skip
FORMATS = tuple(dict.fromkeys((torch.float32, number_format("auto", CPU))))


def print_table(rounds: int) -> None:
    """Print the table; about eight minutes on one core with 3 rounds."""
    print(f"\n## step: {len(PRESENT)} images of {SIDE} px with {PRESENT} classes, seconds\n")
    rows = [row for name, case in networks().items() for row in _rows(name, *case, rounds)]
    print(table(COLUMNS, rows))


def _rows(name: str, arguments: dict[str, Any], scale: float, rounds: int) -> list[list[str]]:
    """Measure one network, a row for each number format; (a) computes in float32."""
    torch.manual_seed(0)
    network = build_network(num_classes=CLASSES, **arguments).train()
    batch = made_batch()
    forms = _forms(network, batch, scale)
    for form in list(forms)[1:]:  # the first pass of a process also loads and plans
        forms[form]()
    spent, made = compare(forms, rounds)
    peaks = {form: peak_megabytes(run) for form, run in forms.items()}
    rows = []
    for each in FORMATS:
        a, b, c = three = ("a", f"b {each}", f"c {each}")
        same = float((made[a] == _labels(network, batch, each)).float().mean())
        rows.append(
            [
                f"{name}, {str(each).removeprefix('torch.')}",
                *(f"{spent[form]:.2f}" for form in three),
                f"{spent[a] / spent[c]:.1f}",
                f"{spent[c] / spent[b]:.2f}",
                f"{100 * same:.1f}",
                *("" if peaks[form] is None else f"{peaks[form]:.0f}" for form in three),
            ]
        )
    return rows


def _forms(network: nn.Module, batch: Batch, scale: float) -> dict[str, Callable[[], Any]]:
    """Return all steps, all at rate 0, so that they stay those of the same network."""
    optimizer = build_optimizer(network.parameter_groups(), "sgd", 5e-4)
    given = replace(batch, saliency=None, labels=_labels(network, batch, torch.float32))
    objective = Objective(network, Labelling(labels={"scale": scale}), WEIGHTS, both=True)
    forms = {"a": partial(published.step, network, batch, optimizer)}
    for each in FORMATS:
        updater = Updater(network, optimizer, CPU, number_format=each)
        forms[f"b {each}"] = partial(updater.step, objective, [(1.0, given)])
        forms[f"c {each}"] = partial(updater.step, objective, [(1.0, batch)])
    return forms


def _labels(network: nn.Module, batch: Batch, form: torch.dtype) -> Tensor:
    """Return our labels, refined at full size as those of (a)."""
    with torch.autocast("cpu", torch.bfloat16, enabled=form == torch.bfloat16):
        return double_backward_step(network, batch, Labelling()).labels
