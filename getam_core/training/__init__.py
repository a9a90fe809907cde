"""Double-backward training (Sun et al. 2021, Section 4.3).

Reading order: `objective` (the loss of a batch), `losses` and `dense_energy` (its terms), `update`
(one step of the optimiser), `precision` (number format of a forward pass), `compilation` (what
torch.compile may fuse), `schedule` (rates), `distributed` (several processes), `batches` (what each
does of an epoch), `plan` and `loop` (epochs of steps, resumable), `states` and `random_state` (what
it resumes from), `interrupt` (when it is stopped), `validation` (class mAP), `metrics` and
`network_file` (what stays on disk).
"""

from getam_core.training.compilation import compile_parts
from getam_core.training.dense_energy import DenseEnergy
from getam_core.training.distributed import Processes, joined
from getam_core.training.loop import Trainer
from getam_core.training.metrics import write_metrics
from getam_core.training.network_file import (
    BUILDERS,
    load_network,
    read_classes,
    read_supervision,
    save_network,
)
from getam_core.training.objective import (
    Batch,
    Labelling,
    double_backward_step,
    label_batch,
    map_pass,
)
from getam_core.training.plan import Plan
from getam_core.training.states import States
from getam_core.training.validation import class_map

__all__ = [
    "BUILDERS",
    "Batch",
    "DenseEnergy",
    "Labelling",
    "Plan",
    "Processes",
    "States",
    "Trainer",
    "class_map",
    "compile_parts",
    "double_backward_step",
    "joined",
    "label_batch",
    "load_network",
    "map_pass",
    "read_classes",
    "read_supervision",
    "save_network",
    "write_metrics",
]
