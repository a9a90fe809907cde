"""A training that takes seconds: made scenes, a tiny network, three epochs."""

import multiprocessing
import os
import signal
from functools import partial

import numpy as np
import torch
from torch.utils.data import get_worker_info

from getam_core.classes import SCENE_CLASSES
from getam_core.data import of_split
from getam_core.data.training_set import TrainingSet
from getam_core.errors import Interrupted
from getam_core.inference.class_map import class_map
from getam_core.scenes import write_scenes
from getam_core.stores import StoreWriter
from getam_core.training import DenseEnergy, Getam, Labelling, Plan, Processes, States, Trainer
from tests.networks import tiny_network
from tests.voc_kit import entries_of

CPU = torch.device("cpu")
STOPPED = 77  # exit code of `end_of`
LOSSES = ("classification", "foreground", "background", "saliency")
WEIGHTS = dict.fromkeys(LOSSES, 1.0) | {"dense_energy": 0.0}


def make_scenes(root):
    """Forty images to train on, twelve to validate, and saliency; returns (root, entries)."""
    write_scenes(root, train=40, val=12, size=32, seed=0)
    entries = entries_of(root, SCENE_CLASSES)
    with StoreWriter(root / "saliency.h5", "saliency", SCENE_CLASSES, {}) as writer:
        for entry in of_split(entries, "train"):
            writer.write(entry.image_id, np.tile(np.uint8([30, 200]).repeat(16), (32, 1)))
    return root, entries


PLAN = Plan(
    epochs=3,
    batch_size=8,
    optimizer="adamw",
    learning_rate=dict.fromkeys(("stem", "backbone", "heads"), 3e-3),
    second_half=2,
    second_half_scale=dict.fromkeys(("stem", "backbone", "heads"), 1.0),
    schedule="cosine",
    warmup=0.1,
    weight_decay=0.05,
    gradient_clip=1.0,
    precision="float32",
)


class StopAt(TrainingSet):
    """Sends a signal to its process or the whole group when its n-th item is read."""

    left: int = -1
    number = signal.SIGTERM
    group = False

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            if not self.group:
                os.kill(os.getpid(), self.number)
            elif get_worker_info().id == 0:  # one of the loader's workers
                os.killpg(os.getpgrp(), self.number)
        return super().__getitem__(index)


def trainer(
    scenes,
    folder,
    *,
    model=None,
    objective=None,
    settings=None,
    plan=PLAN,
    weights=WEIGHTS,
    processes=None,
    images=None,
    validate=None,
    workers=0,
    **keeping,
):
    root, entries = scenes
    training = of_split(entries, "train")[:images]
    processes = processes or Processes()
    objective = objective or Getam(
        model or tiny_network(drop_path_rate=0.2),
        Labelling({}, {"gamma": 8.0}),
        weights,
        classification_epochs=plan.second_half,
        saliency_threshold=0.5,
        energy=DenseEnergy(),
        count=processes.count,
    )
    return Trainer(
        objective,
        StopAt(training, SCENE_CLASSES, 32, (32, 40), 0, root / "saliency.h5"),
        plan,
        validate=validate
        or partial(
            class_map,
            entries=of_split(entries, "val"),
            classes=SCENE_CLASSES,
            size=32,
            device=CPU,
        ),
        states=States(folder / "state.pt", settings or {"seed": 0}, **keeping),
        events=folder / "events",
        device=CPU,
        workers=workers,
        processes=processes,
    )


def same_but_for_speed(rows):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


def end_of(target):
    """Run in a process in its own group; return its exit code, STOPPED if it was interrupted."""

    def run():
        os.setpgrp()
        try:
            target()
        except Interrupted:
            os._exit(STOPPED)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(120)
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode


def signal_group(number):
    """Send a signal to this process's group, from another process of it."""
    fork = multiprocessing.get_context("fork")
    sender = fork.Process(target=os.killpg, args=(os.getpgrp(), number))
    sender.start()
    sender.join()
