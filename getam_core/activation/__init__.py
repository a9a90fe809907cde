"""Class activation maps: GETAM and the methods it is compared with.

Reading order: `models` (supported networks), `tape` (what a forward pass records), `passes`
(gradients of all classes in few backward passes), `class_rows` (maps from the [class] row),
`fusion` (of the blocks), `getam`; then the baselines `attention_gradient`, `grad_cam`, `cam`,
`ts_cam`, `cnn_cam`, and `afa`, the maps of another method. `averaging` combines views of an image.
README.md has the equations.

Every method of `METHODS` is `f(model, images, targets, *, check=True, **own) -> (maps, logits)`,
with maps (M, h, w) of the (image, class) pairs in the order of `targets.nonzero()`; `check=False`
skips the checks of the logits' values, which wait for the device.
"""

from getam_core.activation.afa import SCALES, Located, afa, affinity_from, affinity_of, located
from getam_core.activation.attention_gradient import attention_gradient
from getam_core.activation.averaging import MapMethod, averaged
from getam_core.activation.cam import cam_add, cam_ignore
from getam_core.activation.cnn_cam import cnn_cam
from getam_core.activation.fusion import FUSIONS, fuse
from getam_core.activation.getam import COUPLINGS, couple, getam, getam_blocks, maps_from
from getam_core.activation.grad_cam import grad_cam
from getam_core.activation.models import grid_of
from getam_core.activation.tape import Tape, record
from getam_core.activation.ts_cam import ts_cam

METHODS = {
    "getam": getam,
    "attention_gradient": attention_gradient,
    "grad_cam": grad_cam,
    "ts_cam": ts_cam,
    "cam_ignore": cam_ignore,
    "cam_add": cam_add,
    "cnn_cam": cnn_cam,
    "afa": afa,
}

__all__ = [
    "COUPLINGS",
    "FUSIONS",
    "METHODS",
    "SCALES",
    "Located",
    "MapMethod",
    "Tape",
    "afa",
    "affinity_from",
    "affinity_of",
    "attention_gradient",
    "averaged",
    "cam_add",
    "cam_ignore",
    "cnn_cam",
    "couple",
    "fuse",
    "getam",
    "getam_blocks",
    "grad_cam",
    "grid_of",
    "located",
    "maps_from",
    "record",
    "ts_cam",
]
