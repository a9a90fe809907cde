"""Train the network: a classification half, then double backward."""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import torch

from getam_core.data import TrainingSet, of_split, read_index
from getam_core.files import digest
from getam_core.settings import Settings
from getam_core.training import (
    Labelling,
    Plan,
    Trainer,
    class_map,
    save_network,
    write_metrics,
)
from getam_core.vit import build_network
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    entries = read_index(arguments.index)
    device = command.torch_device(arguments)
    torch.manual_seed(settings.seed)
    built_by = settings.model.model_dump() | {"num_classes": len(settings.data.classes)}
    train = settings.train
    training_set = TrainingSet(
        of_split(entries, "train"),
        settings.data.classes,
        train.crop_size,
        train.scale_range,
        settings.seed,
        arguments.saliency,
    )
    validate = partial(
        class_map,
        entries=of_split(entries, "val"),
        classes=settings.data.classes,
        size=train.crop_size,
        device=device,
    )
    trainer = Trainer(
        build_network(**built_by),
        training_set,
        plan(settings),
        validate=validate,
        state=arguments.state,
        settings=identity(arguments),
        events=arguments.events,
        device=device,
        workers=arguments.threads if device.type == "cuda" else 0,
    )
    rows = trainer.run()
    write_metrics(arguments.metrics, rows)
    save_network(arguments.out, trainer.network, built_by, settings.data.classes)
    arguments.state.unlink()


def plan(settings: Settings) -> Plan:
    """Unpack the settings into the trainer's plan."""
    train = settings.train
    labels = train.labels.model_dump(exclude={"saliency", "saliency_threshold"})
    return Plan(
        epochs=train.epochs,
        classification_epochs=train.classification_epochs,
        batch_size=train.batch_size,
        optimizer=train.optimizer,
        learning_rate=train.learning_rate.model_dump(),
        second_half_scale=train.second_half_scale.model_dump(),
        schedule=train.schedule,
        warmup=train.warmup,
        weight_decay=train.weight_decay,
        gradient_clip=train.gradient_clip,
        precision=train.precision,
        loss_weights=train.losses.model_dump(),
        labelling=Labelling(train.maps.model_dump(), labels),
        saliency_threshold=train.labels.saliency_threshold if train.labels.saliency else None,
        seed=settings.seed,
        validate_every=train.validate_every,
        checkpoint_minutes=train.checkpoint_minutes,
    )


def identity(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the resume state belongs to: the settings and the contents of the inputs."""
    inputs = {
        name: digest(path)
        for name, path in (("index", arguments.index), ("saliency", arguments.saliency))
        if path is not None
    }
    return json.loads(arguments.settings) | {"inputs": inputs}


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
    command.run(main, arguments_parser)
