"""What `gpu` measures, and the small sizes of its rehearsal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.step import Case, paper_case, small_cases
from getam_core.training import Labelling

SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 2}  # options of timm


@dataclass(frozen=True)
class Sizes:
    """What is measured, and at which sizes.

    Parameters
    ----------
    network, options, side, images : of the maps; timm's name, pixels, images of a batch.
    matrix : rows of the matrices whose product gives the card's own rate.
    cases, paper : networks of the step.
    label_sides : pixels.
    steps : of the comparison of number formats.
    rounds : of which the median counts.
    """

    network: str = "vit_base_patch16_384"
    options: dict[str, Any] = field(default_factory=dict)
    side: int = 384
    images: int = 32
    matrix: int = 8192
    cases: Callable[[], list[Case]] = small_cases
    paper: Callable[[], Case] = paper_case
    label_sides: tuple[int, ...] = (256, 480)
    steps: int = 200
    rounds: int = 3


def small_case() -> Case:
    """Return a network that takes a step in a fraction of a second on a CPU."""
    model = {"name": "vit_tiny_patch16_224", "image_size": 64, "options": SMALL, "decoder_width": 8}
    return Case("small", model, Labelling())


FULL = Sizes()
REHEARSAL = Sizes(
    network="vit_tiny_patch16_224",
    options=SMALL | {"img_size": 64},
    side=64,
    images=2,
    matrix=64,
    cases=list,  # `paper` runs the same lines
    paper=small_case,
    label_sides=(48,),
    steps=4,
    rounds=1,
)
