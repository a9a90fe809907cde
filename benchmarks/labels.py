"""PAMR against its straightforward form, the steps of a label map, and the whole label stage.

Shapes: B images, C classes, G neighbours (8 per dilation), H, W pixels.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import label_stage
from benchmarks.timing import compare, relative_difference, table
from getam_core.labels import complete_labels, label_image
from getam_core.refine import pamr, par

SIZES = ((256, 256), (375, 500))  # of the image, pixels
CELLS = 16  # sides of the maps
CLASSES, PRESENT = 20, (1, 2, 3)
DILATIONS = (1, 2, 4, 8, 12, 24)
SQUARE = torch.eye(9).view(9, 1, 3, 3)  # one kernel per pixel of the 3 x 3 square
AROUND = torch.cat([SQUARE[:4], SQUARE[5:]])  # without its centre


@torch.no_grad()
def straightforward_pamr(images: Tensor, maps: Tensor, iterations: int = 10) -> Tensor:
    """PAMR with a convolution per dilation, every neighbour of every map in one tensor."""
    maps = F.interpolate(maps, images.shape[-2:], mode="bilinear", align_corners=False)
    square, around = SQUARE.to(images.device), AROUND.to(images.device)
    deviation = samples(images, square).std(2, keepdim=True)  # (B, 3, 1, H, W)
    distance = (samples(images, around) - images[:, :, None]).abs() / (1e-8 + 0.1 * deviation)
    weights = (-distance.mean(1, keepdim=True)).softmax(2)  # (B, 1, G, H, W)
    for _ in range(iterations):
        maps = (samples(maps, around) * weights).sum(2)  # (B, C, G, H, W) -> (B, C, H, W)
    return maps


def samples(planes: Tensor, kernels: Tensor) -> Tensor:
    """(B, C, H, W), (n, 1, 3, 3) -> (B, C, n * dilations, H, W); the border is replicated."""
    single = planes.flatten(0, 1)[:, None]
    shifted = [
        F.conv2d(F.pad(single, [d] * 4, mode="replicate"), kernels, dilation=d) for d in DILATIONS
    ]
    return torch.cat(shifted, 1).unflatten(0, planes.shape[:2])


def made_input(size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return an image of blurred patches and grain, maps of all classes, and saliency."""
    torch.manual_seed(0)
    resize = partial(F.interpolate, size=size, mode="bicubic", align_corners=False)
    image = resize(torch.rand(1, 3, CELLS, CELLS)) + 0.05 * torch.randn(1, 3, *size)
    maps = torch.rand(1, CLASSES, CELLS, CELLS)
    saliency = resize(torch.rand(1, 1, CELLS // 2, CELLS // 2))[0, 0] > 0.5
    return image.clamp(0, 1), maps, saliency


def pamr_rows(size: tuple[int, int], rounds: int) -> list[list[str]]:
    """Measure PAMR at one size, a row for each number of present classes."""
    image, maps, _ = made_input(size)
    forms: dict[str, Callable] = {"(a)": lambda: straightforward_pamr(image, maps)}
    for K in PRESENT:
        forms[f"(b) {K}"] = partial(straightforward_pamr, image, maps[:, :K])
        forms[f"(c) {K}"] = partial(pamr, image, maps[:, :K])
    seconds, results = compare(forms, rounds)
    rows = []
    for K in PRESENT:
        a, b, ours = seconds["(a)"], seconds[f"(b) {K}"], seconds[f"(c) {K}"]
        difference = relative_difference(results[f"(c) {K}"], results["(a)"][:, :K])
        times = [f"{1e3 * s:.0f}" for s in (a, b, ours)]
        ratios = [f"{a / ours:.0f}", f"{b / ours:.1f}"]
        rows.append([f"{size[1]} x {size[0]}, {K}", *times, *ratios, f"{difference:.0e}"])
    return rows


def step_rows(size: tuple[int, int], rounds: int) -> list[list[str]]:
    """Measure the steps of a label map at one size, a row for each number of present classes."""
    image, maps, saliency = made_input(size)
    rows = []
    for K in PRESENT:
        present, ids = maps[0, :K], torch.arange(K) + 1
        refined = pamr(image, maps[:, :K])[0]
        label = partial(label_image, image[0], present, ids, saliency)
        forms = {
            "PAMR": partial(pamr, image, maps[:, :K]),
            "PAR": partial(par, image, maps[:, :K]),
            "completion": partial(complete_labels, refined, ids, saliency),
            "CRF": partial(label, refinement="crf"),
            "CRF labels": partial(label, refinement="none", method="crf"),
            "label_image": label,
            "half size": partial(label, scale=0.5),
        }
        seconds, _ = compare(forms, rounds)
        times = [f"{1e3 * s:.0f}" for s in seconds.values()]
        rows.append([f"{size[1]} x {size[0]}, {K}", *times, f"{1 / seconds['label_image']:.1f}"])
    return rows


def print_table(rounds: int) -> None:
    """Print the tables; about four minutes on one core with 3 rounds."""
    print(
        f"\n## labels: PAMR of one image, ms; {CLASSES} classes, of which 1, 2 or 3 are present\n"
    )
    rows = [row for size in SIZES for row in pamr_rows(size, rounds)]
    forms = ["(a) all classes", "(b) present", "(c) ours", "a / c", "b / c", "difference"]
    print(table(["image, present", *forms], rows))
    print("\n## labels: the steps of one label map, ms\n")
    rows = [row for size in SIZES for row in step_rows(size, rounds)]
    steps = ["PAMR", "PAR", "`complete_labels`", "refinement by CRF", "CRF labels"]
    whole = ["`label_image`", "with `scale` 0.5", "`label_image`, images/s"]
    print(table(["image, present", *steps, *whole], rows))
    label_stage.print_table(rounds)
