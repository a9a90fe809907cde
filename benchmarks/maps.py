"""GETAM beside its explicit form: whole attention matrices, a full backward pass a pair.

Shapes: B images, M (image, class) pairs, H heads, N = h * w patches, T prefix tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.timing import compare, relative_difference, table
from getam_core.activation import getam
from getam_core.vit import build_network

CLASSES = 20
PRESENT = (1, 1, 2, 3)  # classes of the four images of the batch
SQUEEZENET = {"name": "squeezenet1_0", "library": "torchvision", "pad": 3}
SMALL = {"embed_dim": 256, "depth": 2, "num_heads": 4}
NETWORKS = {
    "ViT-Ti/16, 224 px": {"name": "vit_tiny_patch16_224", "image_size": 224},
    "ViT-S/16, 224 px": {"name": "vit_small_patch16_224", "image_size": 224},
    "small hybrid, 320 px": {
        "name": "vit_small_patch16_224",
        "image_size": 320,
        "options": SMALL,
        "stem": SQUEEZENET,
    },
}


def explicit_getam(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """GETAM as it is defined (Sun et al. 2021, Eq. 2 and 3; `per_head`), (M, N)."""
    maps = []
    with explicit_attention() as matrices:
        logits = model(images)
    for image, class_index in targets.nonzero().tolist():
        model.zero_grad()
        for matrix in matrices:
            matrix.grad = None
        logits[image, class_index].backward(retain_graph=True)
        rows = [(A[image, :, 0], A.grad[image, :, 0]) for A in matrices]  # each (H, T + N)
        blocks = [(g * a.detach()).relu().mean(0) * g.relu().mean(0) for a, g in rows]
        maps.append(sum(blocks)[model.num_prefix_tokens :])
    model.zero_grad()
    return torch.stack(maps)


@contextmanager
def explicit_attention() -> Iterator[list[Tensor]]:
    """Put in place of PyTorch's attention one that keeps its matrices, (B, H, T + N, T + N)."""
    matrices = []

    def attention(q: Tensor, k: Tensor, v: Tensor, **_: object) -> Tensor:
        matrix = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
        matrix.retain_grad()
        matrices.append(matrix)
        return matrix @ v

    with mock.patch.object(F, "scaled_dot_product_attention", attention):
        yield matrices


def explicit_one_by_one(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Do the same with a forward pass an image, so that no backward pass runs in vain."""
    singles = zip(images.split(1), targets.split(1), strict=True)
    return torch.cat([explicit_getam(model, image, target) for image, target in singles])


@torch.no_grad()
def forward(model: nn.Module, images: Tensor) -> Tensor:
    """Classify, no more."""
    return model(images)


def measure(name: str, rounds: int) -> list[str]:
    """Measure one network: a row of the table."""
    torch.manual_seed(0)
    model = build_network(num_classes=CLASSES, decoder_width=16, **NETWORKS[name]).eval()
    side = NETWORKS[name]["image_size"]
    images = torch.rand(len(PRESENT), 3, side, side)
    targets = torch.arange(CLASSES) < torch.tensor(PRESENT)[:, None]
    forms = {
        "explicit": lambda: explicit_getam(model, images, targets),
        "one by one": lambda: explicit_one_by_one(model, images, targets),
        "ours": lambda: getam(model, images, targets)[0],
        "forward": lambda: forward(model, images),
    }
    seconds, results = compare(forms, rounds)
    difference = max(
        relative_difference(results["ours"], results[form]) for form in ("explicit", "one by one")
    )
    ratios = [seconds[form] / seconds["ours"] for form in ("explicit", "one by one")]
    return [
        name,
        *(f"{s:.2f}" for s in seconds.values()),
        *(f"{ratio:.1f}" for ratio in ratios),
        f"{difference:.0e}",
    ]


def print_table(rounds: int) -> None:
    """Print the table; about 50 seconds on one core with 3 rounds."""
    print(f"\n## maps: a batch of {len(PRESENT)} images with {PRESENT} classes, seconds\n")
    columns = [
        "network",
        "(a) explicit, batch",
        "(a') explicit, image by image",
        "(b) ours",
        "(c) forward only",
        "a / b",
        "a' / b",
        "largest relative difference",
    ]
    print(table(columns, [measure(name, rounds) for name in NETWORKS]))
