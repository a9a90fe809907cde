"""Double-backward training (Sun et al. 2021, Section 4.3).

Reading order: `objective` (one step), `losses` (its terms), `schedule` (rates), `precision` (number
format of a forward pass), `loop` (epochs of steps, resumable through `getam_core.checkpoint`),
`interrupt` (when it is stopped), `validation` (class mAP), `metrics` and `network_file` (what stays
on disk).
"""

from getam_core.training.loop import Plan, Trainer
from getam_core.training.metrics import write_metrics
from getam_core.training.network_file import BUILDERS, load_network, save_network
from getam_core.training.objective import Batch, Labelling, double_backward_step
from getam_core.training.validation import class_map

__all__ = [
    "BUILDERS",
    "Batch",
    "Labelling",
    "Plan",
    "Trainer",
    "class_map",
    "double_backward_step",
    "load_network",
    "save_network",
    "write_metrics",
]
