"""Maps of any method, propagated by learned affinity (Ru et al. 2022).

Shapes: B images, C classes, M (image, class) pairs, (h, w) patches.
"""

import torch
from torch import Tensor, nn

from getam_core.activation import SCALES, affinity_of
from getam_core.activation.averaging import MapMethod
from getam_core.refine.affinity import RADIUS, propagate
from getam_core.resizing import resize_tensor


def carried(method: MapMethod, *, scale: float = max(SCALES), radius: int = RADIUS) -> MapMethod:
    """Return a method of the same form whose maps are propagated by learned affinity.

    Parameters
    ----------
    method : MapMethod
        One of `METHODS`.
    scale : float
        Of the view from which the affinity is taken; the maps get its grid.
    radius : int
        See `propagate`.
    """

    def propagated(
        model: nn.Module, images: Tensor, targets: Tensor, **own: object
    ) -> tuple[Tensor, Tensor]:
        maps, logits = method(model, images, targets, **own)
        affinity, grid = affinity_of(model, images, scale)
        counts = targets.sum(1).tolist()
        moved = [
            propagate(one[None], resize_tensor(own_maps, grid, antialias=True)[None], radius)[0]
            for one, own_maps in zip(affinity, maps.split(counts), strict=True)
        ]
        return torch.cat(moved), logits

    return propagated
