"""GETAM couples attention with its squared positive gradient (Sun et al. 2021, Sec. 4.1).

Shapes: B images, C classes, M (image, class) pairs, H heads, L blocks, N = h * w patches.
"""

import math
from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from getam_core.activation.class_rows import Coupling, class_row_maps, on_forward
from getam_core.activation.fusion import FUSIONS, class_row_product, fuse
from getam_core.activation.passes import check_targets
from getam_core.activation.tape import Tape
from getam_core.errors import InputError, check_name

COUPLINGS = ("per_head", "head_mean")


def couple(attention_MHN: Tensor, gradient_MHN: Tensor, coupling: str = "per_head") -> Tensor:
    """Couple one block's attention with its gradient, Eq. 2.

    Parameters
    ----------
    attention_MHN, gradient_MHN : (M, H, N) Tensor
        The [class] row of the attention over the patches, and the logit's gradient with respect
        to it.
    coupling : {"per_head", "head_mean"}
        Where the mean over heads is taken: `mean(relu(g * a)) * mean(relu(g))` (the released
        code), or `relu(mean(g) * mean(a)) * relu(mean(g))` (the paper's text).

    Returns
    -------
    (M, N) Tensor, non-negative.
    """
    check_name("coupling", coupling, COUPLINGS)
    if coupling == "head_mean":
        attention_MHN = attention_MHN.mean(1, keepdim=True)
        gradient_MHN = gradient_MHN.mean(1, keepdim=True)
    positive_MN = (gradient_MHN * attention_MHN).relu().mean(1)
    return positive_MN * gradient_MHN.relu().mean(1)


def getam(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    blocks: int | Sequence[int] | None = None,
    coupling: str = "per_head",
    fusion: str = "sum",
    prefix: int | None = None,
    check: bool = True,
) -> tuple[Tensor, Tensor]:
    """Run `model` on `images` and make the maps of the classes in `targets`.

    Parameters
    ----------
    model : nn.Module
        Any classifier (B, 3, H, W) -> (B, C) whose attention goes through
        `torch.nn.functional.scaled_dot_product_attention` and whose first token is [class]: plain
        ViTs of timm, torchvision and transformers. Where the logits come from pooled patches (BEiT,
        EVA-02), [class] matters only as far as the patches attend to it.
    images : (B, 3, H, W) Tensor
        As the model expects them.
    targets : (B, C) bool Tensor
    blocks, coupling, fusion
        See `maps_from`.
    prefix : int or None
        Number of tokens before the patches, where it cannot be inferred; see `record`.
    check : bool
        Check the values of the logits, which waits for the device; see `logits_of`.

    Returns
    -------
    maps : (M, h, w) Tensor
        In the order of `targets.nonzero()`, not normalised.
    logits : (B, C) Tensor, detached.

    Raises
    ------
    InputError
        A model without a [class] token, without recorded attention, or that refuses the images;
        images, targets or names that do not fit; logits that are not finite.

    Notes
    -----
    Parameters, their gradients and the training mode are unchanged; works under `no_grad`.
    """
    _check(coupling, fusion)

    def make(tape: Tape, logits: Tensor) -> Tensor:
        return _fused(tape, logits, targets, blocks, coupling, fusion, retain_graph=False)

    return on_forward(model, images, make, prefix=prefix, check=check)


def getam_blocks(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    blocks: int | Sequence[int] | None = None,
    coupling: str = "per_head",
    prefix: int | None = None,
    check: bool = True,
) -> tuple[Tensor, Tensor]:
    """Make the map of every chosen block, with the same few backward passes as `getam`.

    Parameters
    ----------
    model, images, targets, blocks, coupling, prefix, check
        As in `getam`.

    Returns
    -------
    maps : (M, L, h, w) Tensor
        Of the L chosen blocks, each as Eq. 2 gives it; `fuse` combines them into GETAM.
    logits : (B, C) Tensor, detached.
    """
    coupled = _coupling(coupling)

    def make(tape: Tape, logits: Tensor) -> Tensor:
        wanted = check_targets(logits, targets)
        return class_row_maps(tape, logits, wanted, coupled, blocks=blocks, retain_graph=False)

    return on_forward(model, images, make, prefix=prefix, check=check)


def maps_from(
    tape: Tape,
    logits: Tensor,
    targets: Tensor,
    *,
    blocks: int | Sequence[int] | None = None,
    coupling: str = "per_head",
    fusion: str = "sum",
    grid: tuple[int, int] | None = None,
    retain_graph: bool = True,
) -> Tensor:
    """Make the maps of GETAM from a recorded forward pass, Eq. 2 and 3.

    Parameters
    ----------
    tape : Tape
        Of the forward pass that gave `logits`.
    logits : (B, C) Tensor
        Raw class scores, with their graph.
    targets : (B, C) bool Tensor
        The classes whose maps are wanted.
    blocks : int or sequence of int or None
        None for all, n for the last n, or indices from 0.
    coupling : str
        See `couple`.
    fusion : {"sum", "product", "matrix"}
        How blocks are combined; see `fusion`.
    grid : (int, int) or None
        (h, w) with h * w = N; None for a square.
    retain_graph : bool
        Keep the graph, so that a loss can use the same forward pass.

    Returns
    -------
    (M, h, w) Tensor, detached, float32 or better, >= 0, not normalised, in the order of
    `targets.nonzero()`.

    Raises
    ------
    InputError
        An unknown name, blocks that do not exist, or a grid that does not fit.
    """
    _check(coupling, fusion)
    height, width = grid or _square(tape.patches())
    rows = len(tape.blocks[-1].output)
    if height * width != tape.patches() or rows != len(logits):
        raise InputError(
            f"grid {height} x {width} does not fit: attention covers {tape.patches()} patches and"
            f" {rows} images, the logits {len(logits)} images"
        )
    maps_MN = _fused(tape, logits, targets, blocks, coupling, fusion, retain_graph)
    return maps_MN.unflatten(1, (height, width))


def _fused(
    tape: Tape,
    logits: Tensor,
    targets: Tensor,
    blocks: int | Sequence[int] | None,
    coupling: str,
    fusion: str,
    retain_graph: bool,
) -> Tensor:
    """Return the maps of GETAM, (M, N)."""
    arguments = {"blocks": blocks, "retain_graph": retain_graph}
    coupled, targets = _coupling(coupling), check_targets(logits, targets)
    if fusion == "matrix":
        return class_row_product(tape, logits, targets, coupled, **arguments)
    return fuse(class_row_maps(tape, logits, targets, coupled, **arguments), fusion)


def _coupling(name: str) -> Coupling:
    check_name("coupling", name, COUPLINGS)
    return partial(couple, coupling=name)


def _check(coupling: str, fusion: str) -> None:
    check_name("coupling", coupling, COUPLINGS)
    check_name("fusion", fusion, FUSIONS)


def _square(patches: int) -> tuple[int, int]:
    side = math.isqrt(patches)
    if side * side != patches:
        raise InputError(f"{patches} patches do not form a square: give grid=(h, w)")
    return side, side
