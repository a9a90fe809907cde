"""End-to-end training: GETAM's double backward (Sun et al. 2021, Section 4.3), or AFA.

Reading order: `getam` (one step, from images to loss), `losses` and `dense_energy` (its terms),
`optimisation` (rates, and the update), `loop` (epochs of steps, resumable) with `plan` (its inputs:
an objective and a plan). Then what the loop builds on: `batches` (the order of the images),
`distributed` (several processes) and `cpu_processes` (those of a CPU), `states` (what it resumes
from), `metrics` (what it logs).

Another method has its own objective and shares the loop: `afa` (Ru et al. 2022). The saliency
network's objective is in `saliency.training`.
"""

from getam_core.training.afa import Afa, Recipe
from getam_core.training.cpu_processes import processes_for, train_together
from getam_core.training.dense_energy import DenseEnergy
from getam_core.training.distributed import Processes, joined
from getam_core.training.getam import (
    Batch,
    Getam,
    Labelling,
    double_backward_step,
    label_batch,
    map_pass,
)
from getam_core.training.loop import Trainer
from getam_core.training.metrics import write_metrics
from getam_core.training.plan import Objective, Plan
from getam_core.training.states import States

__all__ = [
    "Afa",
    "Batch",
    "DenseEnergy",
    "Getam",
    "Labelling",
    "Objective",
    "Plan",
    "Processes",
    "Recipe",
    "States",
    "Trainer",
    "double_backward_step",
    "joined",
    "label_batch",
    "map_pass",
    "processes_for",
    "train_together",
    "write_metrics",
]
