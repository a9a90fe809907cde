"""Train DeepLabv2 on label maps; under torchrun, in several processes, one per GPU."""

import argparse
import json
import os
from functools import partial
from typing import Any

import torch

from getam_core.data import class_names, read_index
from getam_core.data.label_maps import check_supervision
from getam_core.once import stamp
from getam_core.precision import number_format
from getam_core.settings import Settings
from getam_core.stores import open_store
from getam_core.training import Processes, joined
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    if arguments.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # mmengine takes any GPU that it can see
    device = command.torch_device(arguments)
    if device.type == "cuda":
        os.environ["LOCAL_RANK"] = str(device.index)  # which mmengine takes for the GPU's number
    with command.only_copy(arguments), joined(device) as processes:
        retrain(arguments, processes, device)


def retrain(arguments: argparse.Namespace, processes: Processes, device: torch.device) -> None:
    """Train, and let the first process write the results."""
    from getam_core import deeplab  # after the device: see above

    settings = command.settings_of(arguments)
    identity = processes.ask_first(partial(command.identity, arguments, "index", "labels"))
    entries = read_index(arguments.index)
    images = {"images": stamp(entry.image for entry in entries)}
    finished = command.finished(arguments, identity | images, "metrics", "out")
    if command.finished_before(arguments, finished, processes):
        return
    classes = class_names(settings.data.classes, entries)
    check_supervision(arguments.labels, settings.deeplab.supervision, "deeplab.supervision")
    torch.manual_seed(settings.seed)
    built_by = network_of(settings, len(classes))
    network = deeplab.build_deeplab(**built_by)
    asked = settings.deeplab
    if asked.weights is not None:
        deeplab.load_initial_weights(
            network.backbone, asked.depth, asked.weights, asked.weights_trained_on
        )
    plan = deeplab.DeepLabPlan(
        iterations=asked.iterations,
        batch_size=asked.batch_size,
        crop_size=asked.crop_size,
        scale_range=asked.scale_range,
        learning_rate=asked.learning_rate,
        head_rate=asked.head_rate,
        weight_decay=asked.weight_decay,
        bfloat16=number_format(asked.precision, device) == torch.bfloat16,
        seed=settings.seed,
        checkpoint_minutes=asked.checkpoint_minutes,
    )
    rows = deeplab.train_deeplab(
        network,
        plan,
        index=arguments.index,
        labels=arguments.labels,
        classes=classes,
        state=arguments.state,
        settings=identity,
        events=arguments.events,
        device=device,
        workers=arguments.threads if device.type == "cuda" else 0,
    )
    if processes.is_first:
        deeplab.write_rows(finished.place(arguments.metrics), rows)
        deeplab.save_deeplab(
            finished.place(arguments.out),
            network,
            built_by,
            classes=classes,
            settings=json.loads(arguments.settings),
            labels=open_store(arguments.labels, "labels").settings,
        )
        finished.hand_over()
        arguments.state.unlink(missing_ok=True)


def network_of(settings: Settings, num_classes: int) -> dict[str, Any]:
    """Unpack the settings into the arguments of `build_deeplab`; background is one more class."""
    keys = {"depth", "width", "dilations", "batch_norm", "crop_size"}
    return settings.deeplab.model_dump(include=keys) | {"num_classes": num_classes + 1}


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        labels="labels.h5",
        state="resume state, kept when the job fails",
        events="folder of the TensorBoard events",
        metrics="metrics.csv",
        out="checkpoint.pt",
    )
    command.add_saving(arguments_parser)
    command.run(main, arguments_parser)
