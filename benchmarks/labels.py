"""PAMR beside its straightforward form, and the label map of one image.

Shapes: B images, C classes, G neighbours (8 a dilation), H, W pixels.
"""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.timing import compare, relative_difference, table
from getam_core.labels import complete_labels, label_image
from getam_core.refine import pamr

SIDE, CELLS = 256, 16  # pixels of the image, cells of the maps
CLASSES, PRESENT = 20, 2
DILATIONS = (1, 2, 4, 8, 12, 24)
SQUARE = torch.eye(9).view(9, 1, 3, 3)  # one kernel a pixel of the 3 x 3 square
AROUND = torch.cat([SQUARE[:4], SQUARE[5:]])  # without its centre


@torch.no_grad()
def straightforward_pamr(images: Tensor, maps: Tensor, iterations: int = 10) -> Tensor:
    """PAMR with a convolution a dilation, every neighbour of every map in one tensor."""
    maps = F.interpolate(maps, images.shape[-2:], mode="bilinear", align_corners=False)
    deviation = samples(images, SQUARE).std(2, keepdim=True)  # (B, 3, 1, H, W)
    distance = (samples(images, AROUND) - images[:, :, None]).abs() / (1e-8 + 0.1 * deviation)
    weights = (-distance.mean(1, keepdim=True)).softmax(2)  # (B, 1, G, H, W)
    for _ in range(iterations):
        maps = (samples(maps, AROUND) * weights).sum(2)  # (B, C, G, H, W) -> (B, C, H, W)
    return maps


def samples(planes: Tensor, kernels: Tensor) -> Tensor:
    """(B, C, H, W), (n, 1, 3, 3) -> (B, C, n * dilations, H, W); the border is replicated."""
    single = planes.flatten(0, 1)[:, None]
    shifted = [
        F.conv2d(F.pad(single, [d] * 4, mode="replicate"), kernels, dilation=d) for d in DILATIONS
    ]
    return torch.cat(shifted, 1).unflatten(0, planes.shape[:2])


def made_input() -> tuple[Tensor, Tensor, Tensor]:
    """Return an image of blurred patches and grain, maps of all classes, and saliency."""
    torch.manual_seed(0)
    resize = partial(F.interpolate, size=(SIDE, SIDE), mode="bicubic", align_corners=False)
    image = resize(torch.rand(1, 3, CELLS, CELLS)) + 0.05 * torch.randn(1, 3, SIDE, SIDE)
    maps = torch.rand(1, CLASSES, CELLS, CELLS)
    maps[:, PRESENT:] = 0
    saliency = resize(torch.rand(1, 1, CELLS // 2, CELLS // 2))[0, 0] > 0.5
    return image.clamp(0, 1), maps, saliency


def print_table(rounds: int) -> None:
    """Print the table; about 35 seconds on one core with 3 rounds."""
    image, maps, saliency = made_input()
    present = maps[:, :PRESENT]
    refined, ids = pamr(image, present)[0], torch.arange(PRESENT) + 1
    label = partial(label_image, image[0], present[0], ids, saliency)
    everything = f"(a) PAMR, convolutions, {CLASSES} classes"
    ours = f"(c) PAMR, ours, {PRESENT} classes"
    forms = {
        everything: lambda: straightforward_pamr(image, maps),
        f"(b) PAMR, convolutions, {PRESENT} classes": lambda: straightforward_pamr(image, present),
        ours: lambda: pamr(image, present),
        "`complete_labels`": lambda: complete_labels(refined, ids, saliency),
        "`label_image`, both": label,
        "`label_image`, `scale` 0.5": lambda: label(scale=0.5),
    }
    seconds, results = compare(forms, rounds)
    difference = relative_difference(results[ours], results[everything][:, :PRESENT])
    rows = [
        [name, f"{1e3 * s:.0f}", f"{s / seconds[ours]:.3g}", f"{1 / s:.1f}"]
        for name, s in seconds.items()
    ]
    print(f"\n## labels: an image of {SIDE} x {SIDE} px with {PRESENT} present classes\n")
    print(table(["step", "ms", "times (c)", "images/s"], rows))
    print(f"\nLargest relative difference of the refined maps, (c) to (a): {difference:.0e}")
