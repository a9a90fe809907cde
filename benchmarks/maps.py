"""GETAM against explicit forms and the plain gradient; Grad-CAM against the grad-cam package."""

from collections.abc import Callable
from typing import Any

import timm
import torch
from torch import Tensor, nn

from benchmarks.explicit import one_by_one, pair_by_pair, plain_gradient, shared_passes
from benchmarks.memory import peak_megabytes
from benchmarks.timing import compare, relative_difference, table
from getam_core.activation import getam, grad_cam, grid_of
from getam_core.networks import build_network

CLASSES = 20
PRESENT = (1, 1, 2, 3)  # classes of the four images of the batch
HYBRID = {
    "name": "vit_small_patch16_224",
    "image_size": 320,
    "options": {"embed_dim": 256, "depth": 2, "num_heads": 4},
    "stem": {"name": "squeezenet1_0", "library": "torchvision", "pad": 3},
    "decoder_width": 16,
}
NETWORKS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "ViT-Ti/16, 224 px": (224, lambda: _vit("vit_tiny_patch16_224")),
    "ViT-S/16, 224 px": (224, lambda: _vit("vit_small_patch16_224")),
    "ViT-S/16, 384 px": (384, lambda: _vit("vit_small_patch16_384")),
    "ViT-B/16, 384 px": (384, lambda: _vit("vit_base_patch16_384")),
    "voc_mini's ViT-Ti, 320 px": (320, lambda: _vit("vit_tiny_patch16_224", img_size=320)),
    "voc_mini_hybrid's, 320 px": (320, lambda: build_network(num_classes=CLASSES, **HYBRID)),
}
Forms = dict[str, Callable[[], Any]]


def _vit(name: str, **options: Any) -> nn.Module:
    return timm.create_model(name, num_classes=CLASSES, **options)


def print_table(rounds: int) -> None:
    """Print the tables; about six minutes on one core with 3 rounds."""
    cases = [_case(name) for name in NETWORKS]
    print(f"\n## maps: a batch of {len(PRESENT)} images with {PRESENT} classes, seconds\n")
    print(table(SECONDS, [_seconds(*case, rounds) for case in cases]))
    print("\n### Highest memory beyond the network and its input, MB\n")
    print(table(MEMORY, [_memory(*case) for case in cases]))
    print("\n### Grad-CAM of the same pairs, seconds\n")
    print(table(PEER, [_peer(*case, rounds) for case in cases[:-1]]))


def _case(name: str) -> tuple[str, nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    side, build = NETWORKS[name]
    targets = torch.arange(CLASSES) < torch.tensor(PRESENT)[:, None]
    return name, build().eval(), torch.rand(len(PRESENT), 3, side, side), targets


SECONDS = [
    "network", "(a) explicit, pair by pair", "(a') image by image", "(b) explicit, shared passes",
    "(c) ours", "(d) plain gradient", "a / c", "a' / c", "b / c", "c / d", "difference",
]  # fmt: skip


def _seconds(
    name: str, model: nn.Module, images: Tensor, targets: Tensor, rounds: int
) -> list[str]:
    forms: Forms = {
        "a": lambda: pair_by_pair(model, images, targets),
        "a'": lambda: one_by_one(model, images, targets),
        "b": lambda: shared_passes(model, images, targets),
        "c": lambda: getam(model, images, targets)[0],
        "d": lambda: plain_gradient(model, images, targets),
    }
    forms["d"]()  # the first pass of a process also loads and plans
    spent, made = compare(forms, rounds)
    difference = max(relative_difference(made["c"], made[form]) for form in ("a", "a'", "b"))
    ratios = [spent["a"] / spent["c"], spent["a'"] / spent["c"], spent["b"] / spent["c"]]
    return [
        name,
        *(f"{seconds:.2f}" for seconds in spent.values()),
        *(f"{ratio:.2f}" for ratio in [*ratios, spent["c"] / spent["d"]]),
        f"{difference:.0e}",
    ]


MEMORY = ["network", "(b) explicit, shared passes", "(c) ours", "(d) plain gradient", "c / d"]


def _memory(name: str, model: nn.Module, images: Tensor, targets: Tensor) -> list[str]:
    forms: Forms = {
        "b": lambda: shared_passes(model, images, targets),
        "c": lambda: getam(model, images, targets),
        "d": lambda: plain_gradient(model, images, targets),
    }
    peaks = [peak_megabytes(form) for form in forms.values()]
    if None in peaks:
        return [name, "", "", "", ""]
    return [name, *(f"{peak:.0f}" for peak in peaks), f"{peaks[1] / peaks[2]:.2f}"]


PEER = ["network", "the package grad-cam", "`grad_cam`", "ratio"]


def _peer(name: str, model: nn.Module, images: Tensor, targets: Tensor, rounds: int) -> list[str]:
    """Grad-CAM as the published package makes it, one copy of the image per pair, and as we do."""
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        return [name, "not installed", "", ""]
    owner, class_index = targets.nonzero(as_tuple=True)

    def to_maps(tokens: Tensor) -> Tensor:
        patches = tokens[:, model.num_prefix_tokens :]
        return patches.mT.unflatten(2, grid_of(patches.shape[1], images.shape[-2:]))

    def package() -> Any:
        with GradCAM(model, [model.blocks[-1].norm1], reshape_transform=to_maps) as cam:
            return cam(images[owner], [ClassifierOutputTarget(c) for c in class_index.tolist()])

    spent, _ = compare(
        {"package": package, "ours": lambda: grad_cam(model, images, targets)}, rounds
    )
    figures = [f"{seconds:.2f}" for seconds in spent.values()]
    return [name, *figures, f"{spent['package'] / spent['ours']:.1f}"]
