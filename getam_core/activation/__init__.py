"""Class activation maps of a transformer: GETAM, and what it is compared with.

Reading order: `tape` (what is captured of a forward pass), `passes` (gradients of all classes in
few backward passes), `getam`, then the baselines `grad_cam` and `cam`. Every method of `METHODS`
is `f(model, images, targets, **own) -> (maps (M, h, w), logits (B, C))`, M the (image, class)
pairs in the order of `targets.nonzero()`.
"""

from getam_core.activation.cam import cam_ignore
from getam_core.activation.getam import couple, getam, maps_from
from getam_core.activation.grad_cam import grad_cam
from getam_core.activation.tape import Tape, record

METHODS = {"getam": getam, "grad_cam": grad_cam, "cam_ignore": cam_ignore}

__all__ = ["METHODS", "Tape", "cam_ignore", "couple", "getam", "grad_cam", "maps_from", "record"]
