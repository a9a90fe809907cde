"""Class activation maps of a transformer: GETAM, and what it is compared with.

Reading order: `models` (which networks), `tape` (what is captured of a forward pass), `passes`
(gradients of all classes in few backward passes), `getam`, `block_maps` (what it sums), then the
baselines `grad_cam` and `cam`; `export` runs them over a data set. Every method of `METHODS` is
`f(model, images, targets, **own) -> (maps, logits)`, with maps (M, h, w) of the (image, class)
pairs in the order of `targets.nonzero()`.
"""

from getam_core.activation.block_maps import getam_blocks
from getam_core.activation.cam import cam_ignore
from getam_core.activation.export import MapMethod, export_maps, map_batch
from getam_core.activation.getam import couple, getam, maps_from
from getam_core.activation.grad_cam import grad_cam
from getam_core.activation.tape import Tape, record

METHODS = {"getam": getam, "grad_cam": grad_cam, "cam_ignore": cam_ignore}

__all__ = [
    "METHODS",
    "MapMethod",
    "Tape",
    "cam_ignore",
    "couple",
    "export_maps",
    "getam",
    "getam_blocks",
    "grad_cam",
    "map_batch",
    "maps_from",
    "record",
]
