"""Every table that needs a GPU, in one command: `python -m benchmarks gpu [--data-root FOLDER]`.

Prints markdown. A section that fails says so, and the others still run; none begins after
`--minutes` (9). `--device cpu` rehearses: it runs the same lines at small sizes, in seconds.
"""

import argparse
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import gpu_training, quality, step
from benchmarks.gpu_sizes import FULL, REHEARSAL, Sizes
from benchmarks.labels import made_input
from benchmarks.maps import PRESENT
from benchmarks.memory import peak_megabytes
from benchmarks.timing import compare, table
from getam_core.activation import getam
from getam_core.labels import label_images
from getam_core.provenance import core_count

Section = Callable[[Sizes, torch.device], str]
SHORT = [  # for a run that shows that everything works together, not what the method reaches
    "device=cuda", "saliency={epochs: 2}", "train={epochs: 4, classification_epochs: 2}",
]  # fmt: skip


def maps(sizes: Sizes, device: torch.device) -> str:
    """Images/s of GETAM's maps, and their FLOP/s as a share of those of plain matrix products."""
    model = timm.create_model(sizes.network, num_classes=step.CLASSES, **sizes.options)
    model = model.eval().to(device)
    images = torch.rand(sizes.images, 3, sizes.side, sizes.side, device=device)
    present = torch.tensor(PRESENT).repeat(sizes.images)[: sizes.images]
    targets = torch.arange(step.CLASSES) < present[:, None]
    rows = []
    for form in (torch.float32, torch.bfloat16):

        def make(form: torch.dtype = form) -> torch.Tensor:
            with torch.autocast(device.type, torch.bfloat16, enabled=form == torch.bfloat16):
                return getam(model, images, targets)[0]

        with FlopCounterMode(display=False) as counter:
            make()
        seconds, _ = compare({"maps": make}, sizes.rounds, device)
        rate = counter.get_total_flops() / seconds["maps"]
        rows.append(
            [
                f"{sizes.network}, {sizes.side} px, {sizes.images} images, {_name(form)}",
                f"{sizes.images / seconds['maps']:.1f}",
                f"{rate / 1e12:.2f}",
                f"{100 * rate / matrix_rate(sizes, form, device):.0f}",
                _megabytes(peak_megabytes(make, device)),
            ]
        )
    return table(["network, format", "images/s", "TFLOP/s", "of matrix rate, %", "MB"], rows)


def matrix_rate(sizes: Sizes, form: torch.dtype, device: torch.device) -> float:
    """Return the device's rate in large matrix products, FLOP/s."""
    a, b = (torch.rand(sizes.matrix, sizes.matrix, device=device).to(form) for _ in range(2))
    torch.mm(a, b)
    seconds, _ = compare({"product": lambda: torch.mm(a, b)}, 5, device)
    return 2 * sizes.matrix**3 / seconds["product"]


def steps(sizes: Sizes, device: torch.device) -> str:
    """Time the three forms of the second half's step on the networks of `step`."""
    cases = sizes.cases()
    return table(
        step.COLUMNS, [row for case in cases for row in step.rows(case, sizes.rounds, device)]
    )


def paper(sizes: Sizes, device: torch.device) -> str:
    """Time the paper's setting, seconds for 1,000 steps."""
    return table(step.COLUMNS, step.rows(sizes.paper(), sizes.rounds, device, steps=1000))


def labels(sizes: Sizes, device: torch.device) -> str:
    """Label maps/s of a batch on the device."""
    rows = []
    for side in sizes.label_sides:
        image, planes, saliency = (tensor.to(device) for tensor in made_input((side, side)))
        images, salient = image.repeat(8, 1, 1, 1), saliency.repeat(8, 1, 1)
        for K in (1, 2, 3):
            own, owner = planes[0, :K].repeat(8, 1, 1), torch.arange(8).repeat_interleave(K)
            ids = torch.arange(K).repeat(8) + 1
            forms = {
                f"scale {scale}": partial(
                    label_images, images, own, owner, ids, salient, scale=scale
                )
                for scale in (1.0, 0.5)
            }
            forms["scale 1.0"]()
            seconds, _ = compare(forms, sizes.rounds, device)
            rates = [f"{8 / spent:.1f}" for spent in seconds.values()]
            megabytes = _megabytes(peak_megabytes(forms["scale 1.0"], device))
            rows.append([f"{side} px, {K}", *rates, megabytes])
    return table(["8 images, classes", "images/s", "with `scale` 0.5, images/s", "MB"], rows)


def short_run(data_root: Path, _sizes: Sizes, _device: torch.device) -> str:
    """Run voc_mini for a few epochs, with every stage on the GPU that can use one."""
    with TemporaryDirectory() as name:
        scored = quality.measure(Path(name), data_root, cores=core_count(), overrides=SHORT)
    rows = [[name, f"{each.miou:.1f}", f"{each.minutes:.1f}"] for name, each in scored.items()]
    return table(["entry", "mIoU, %", "minutes"], rows)


SECTIONS: dict[str, Section] = {
    "maps": maps,
    "the paper's setting, seconds for 1,000 steps": paper,
    "labels": labels,
    "one process of several: gradients exchanged with itself": gpu_training.exchange,
    "losses by number format": gpu_training.losses,
    "step: 4 images of 256 px, seconds": steps,
}


def print_tables(
    sections: dict[str, Section], sizes: Sizes, device: torch.device, minutes: float
) -> list[str]:
    """Print every section that there is time for; return the names of those that failed."""
    began, failed = time.monotonic(), []
    for name, section in sections.items():
        print(f"\n### {name}\n", flush=True)
        if time.monotonic() - began > 60 * minutes:
            print(f"Skipped: the {minutes:g} minutes are used up.")
            continue
        started = time.monotonic()
        try:
            print(section(sizes, device))
        except Exception as error:  # whatever it is: the time on the card is short
            traceback.print_exc()
            print(f"Failed: {type(error).__name__}: {error}")
            failed.append(name)
        print(f"\n{time.monotonic() - started:.0f} s", flush=True)
    return failed


def main(words: Sequence[str] | None = None) -> int:
    """Return 1 if a section failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--minutes", type=float, default=9, help="no section begins after these")
    parser.add_argument("--data-root", type=Path, help="the folder voc_mini, for a short run of it")
    arguments = parser.parse_args(words)
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU; --device cpu rehearses")
    sections = dict(SECTIONS)
    if arguments.data_root is not None:
        sections["a short voc_mini"] = partial(short_run, arguments.data_root)
    sizes = FULL if device.type == "cuda" else REHEARSAL
    return int(bool(print_tables(sections, sizes, device, arguments.minutes)))


def _name(form: torch.dtype) -> str:
    return str(form).removeprefix("torch.")


def _megabytes(peak: float | None) -> str:
    return "" if peak is None else f"{peak:.0f}"
