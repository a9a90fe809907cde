"""Train the network by GETAM's double backward or by AFA, or train one that only classifies."""

import argparse
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from getam_core.data import Entry, class_names, of_split, read_index
from getam_core.data.label_maps import check_supervision
from getam_core.data.training_set import TrainingSet
from getam_core.errors import InputError
from getam_core.files import write_json
from getam_core.inference.class_map import class_map
from getam_core.networks import BUILDERS, compile_parts, make_deterministic, save_network
from getam_core.once import stamp
from getam_core.provenance import provenance
from getam_core.report import worth_showing
from getam_core.report.progress import TrainingPicture
from getam_core.settings import CLASSIFIERS, Settings
from getam_core.training import (
    Plan,
    Processes,
    States,
    Trainer,
    joined,
    processes_for,
    train_together,
    write_metrics,
)
from workflow_scripts import command
from workflow_scripts.objectives import afa, getam, labelling_of, threshold_of

PICTURED = 4  # training images in TensorBoard


def main(arguments: argparse.Namespace) -> None:
    device = command.torch_device(arguments)
    with command.only_copy(arguments):
        if device.type == "cuda" or "WORLD_SIZE" in os.environ:  # torchrun sets it
            with joined(device) as processes:
                train(arguments, device, processes)
        else:
            count = share_threads(arguments)
            train_together(count, partial(train, arguments, device))


def share_threads(arguments: argparse.Namespace) -> int:
    """Return how many processes train on a CPU, and divide the threads among them.

    One for networks with batch norms, which would know only the images of their own process: CNNs,
    and the segmentation head of Mix Transformers.
    """
    settings = command.settings_of(arguments)
    kind, built_by = network_of(arguments.classifier, settings, num_classes=1)
    has_cnn = kind != "transformer" or built_by["stem"] is not None
    if has_cnn or built_by["name"].startswith("mit_b"):
        return 1
    together = settings.train.batch_size // settings.train.accumulate
    count = processes_for(arguments.threads, together)
    if count > 1:
        arguments.threads //= count
        torch.set_num_threads(arguments.threads)
        logging.info("training in %d processes, threads of each: %d", count, arguments.threads)
    return count


def train(arguments: argparse.Namespace, device: torch.device, processes: Processes) -> None:
    """Train as one of the processes; the first one writes."""
    identity = processes.ask_first(partial(identity_of, arguments))
    images = {"images": processes.ask_first(partial(images_of, arguments))}
    start = {"resume_from": command.settings_of(arguments).train.resume_from}
    arguments.provenance = arguments.metrics.with_name("provenance.json")
    outputs = ("metrics", "provenance", "out")
    finished = command.finished(arguments, identity | images | start, *outputs)
    if command.finished_before(arguments, finished, processes):
        return
    trainer, write = prepare(arguments, identity, processes, device)
    rows = trainer.run()
    if processes.is_first:
        write_metrics(finished.place(arguments.metrics), rows)
        gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
        write_json(finished.place(arguments.provenance), provenance(gpu))
        write(trainer.network, finished.place(arguments.out))
        finished.hand_over()
        trainer.states.remove()


def identity_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the states of the training belong to."""
    return command.identity(arguments, "index", "saliency", "labels")


def images_of(arguments: argparse.Namespace) -> str:
    """Return a checksum of the images' names, sizes and modification times."""
    return stamp(entry.image for entry in read_index(arguments.index))


def prepare(
    arguments: argparse.Namespace,
    identity: dict[str, Any],
    processes: Processes,
    device: torch.device,
) -> tuple[Trainer, Callable[[nn.Module, Path], None]]:
    """Return the trainer of a run, and the function that writes its network."""
    settings = command.settings_of(arguments)
    entries = read_index(arguments.index)
    classes = class_names(settings.data.classes, entries)
    train = settings.train
    make_deterministic(train.deterministic)
    torch.manual_seed(settings.seed)
    kind, built_by = network_of(arguments.classifier, settings, len(classes))
    network = BUILDERS[kind](**built_by)
    check_labels(arguments, train.supervision)
    samples = partial(
        TrainingSet,
        classes=classes,
        size=train.crop_size,
        seed=settings.seed,
        saliency=arguments.saliency,
        labels=arguments.labels,
    )
    planned = plan(settings, classifies_only=arguments.classifier is not None)
    images = samples(of_split(entries, "train"), scale_range=train.scale_range)
    compiled = compile_parts(network) if train.compile else network
    if train.method == "afa" and arguments.classifier is None:
        objective = afa(compiled, settings, planned.order.steps(len(images)), processes.count)
    else:
        objective = getam(compiled, settings, planned, processes.count)
    drawn = None if arguments.classifier else picture(settings, entries, samples)
    trainer = Trainer(
        objective,
        images,
        planned,
        validate=partial(
            on_threads_of_all,
            processes,
            partial(
                class_map,
                entries=of_split(entries, "val"),
                classes=classes,
                size=train.crop_size,
                device=device,
            ),
        ),
        draw=drawn and partial(on_threads_of_all, processes, drawn),
        states=states_of(arguments, identity, settings),
        events=arguments.events,
        device=device,
        workers=arguments.threads if device.type == "cuda" else 0,
        processes=processes,
    )

    def write(network: nn.Module, path: Path) -> None:
        supervision = "classes" if arguments.classifier else train.supervision
        segments = arguments.classifier is None and train.segments
        save_network(path, network, built_by, classes, kind, supervision, segments=segments)

    return trainer, write


def on_threads_of_all(
    processes: Processes, work: Callable[[nn.Module], Any], network: nn.Module
) -> Any:
    """Call `work` in the first process on the threads of all, which wait for it."""
    own = torch.get_num_threads()
    torch.set_num_threads(own * processes.size)
    try:
        return work(network)
    finally:
        torch.set_num_threads(own)


def check_labels(arguments: argparse.Namespace, supervision: str) -> None:
    """Check that label maps are given if and only if the settings say so, and are of that kind."""
    given = arguments.labels is not None
    if given != (arguments.classifier is None and supervision != "classes"):
        raise InputError(
            f"--labels: {'given' if given else 'missing'}, but train.supervision is {supervision}"
        )
    if given:
        check_supervision(arguments.labels, supervision, "train.supervision")


def picture(
    settings: Settings, entries: Sequence[Entry], samples: Callable[..., TrainingSet]
) -> TrainingPicture | None:
    """Return what draws a few whole training images; None for a network that only classifies."""
    if not settings.train.segments:
        return None
    chosen, size = worth_showing(of_split(entries, "train"), PICTURED), settings.train.crop_size
    whole = samples(chosen, scale_range=(size, size))
    return TrainingPicture(whole, labelling_of(settings), threshold_of(settings))


def states_of(
    arguments: argparse.Namespace, identity: dict[str, Any], settings: Settings
) -> States:
    """Return where the states of the training are; a classifier ignores `resume_from`."""
    train = settings.train
    start = None if arguments.classifier is not None else train.resume_from
    return States(
        arguments.state,
        identity,
        resume_from=None if start is None else Path(start),
        keep_last=train.keep_last,
        keep_best=train.keep_best,
    )


def network_of(
    classifier: str | None, settings: Settings, num_classes: int
) -> tuple[str, dict[str, Any]]:
    """Return the kind of the network and the arguments of its builder.

    Raises
    ------
    InputError
        The classifier needs a transformer or a CNN that the settings do not name.
    """
    shared = {"num_classes": num_classes}
    model = settings.model.model_dump() | shared
    if classifier is None:
        return "transformer", model
    if classifier == "ts_cam" and settings.model.name is None:
        raise InputError("model.name: TS-CAM needs a transformer, but the model has none")
    if classifier == "ts_cam":
        return "transformer", model | {"head": "ts_cam"}
    cnn = settings.classifiers.cnn or settings.model.stem
    if cnn is None:
        raise InputError(
            "classifiers.cnn: CNN CAM needs a CNN, but the model has no stem; name one, for"
            " instance {name: resnet50, weights: hub, max_stride: 32}"
        )
    return "cnn", shared | {"stem": cnn.model_dump()}


def plan(settings: Settings, *, classifies_only: bool = False) -> Plan:
    """Unpack the settings into the trainer's plan."""
    train = settings.train
    one_half = classifies_only or train.method == "afa"  # AFA's phases are in iterations
    return Plan(
        epochs=train.epochs,
        second_half=train.epochs if one_half else train.classification_epochs,
        batch_size=train.batch_size,
        optimizer=train.optimizer,
        learning_rate=train.learning_rate.model_dump(),
        second_half_scale=train.second_half_scale.model_dump(),
        schedule=train.schedule,
        warmup=train.warmup,
        weight_decay=train.weight_decay,
        gradient_clip=train.gradient_clip,
        precision=train.precision,
        seed=settings.seed,
        accumulate=train.accumulate,
        validate_every=train.validate_every,
        checkpoint_minutes=train.checkpoint_minutes,
    )


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        state="resume state, kept when the job fails",
        events="folder of the TensorBoard events",
        metrics="metrics.csv",
        out="checkpoint.pt",
    )
    arguments_parser.add_argument("--saliency", type=Path, help="saliency.h5, if labels use it")
    arguments_parser.add_argument("--labels", type=Path, help="labels.h5, if they are given")
    arguments_parser.add_argument(
        "--classifier", choices=CLASSIFIERS.values(), help="the network of another method"
    )
    command.add_saving(arguments_parser)
    command.run(main, arguments_parser)
