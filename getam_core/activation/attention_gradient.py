"""Attention times its gradient: GETAM without the square (a baseline of GETAM's Table 1)."""

from collections.abc import Sequence

from torch import Tensor, nn

from getam_core.activation.class_rows import class_row_maps, on_forward
from getam_core.activation.passes import check_targets
from getam_core.activation.tape import Tape


def attention_gradient(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    blocks: int | Sequence[int] | None = None,
    prefix: int | None = None,
    check: bool = True,
) -> tuple[Tensor, Tensor]:
    """Sum `mean_h relu(g * a)` of the [class] row over the blocks.

    Parameters and results are those of `getam`, which also multiplies each block's term by the
    mean positive gradient.
    """

    def make(tape: Tape, logits: Tensor) -> Tensor:
        wanted = check_targets(logits, targets)
        arguments = {"blocks": blocks, "retain_graph": False}
        return class_row_maps(tape, logits, wanted, _product, **arguments).sum(1)

    return on_forward(model, images, make, prefix=prefix, check=check)


def _product(attention_MHN: Tensor, gradient_MHN: Tensor) -> Tensor:
    return (gradient_MHN * attention_MHN).relu().mean(1)
