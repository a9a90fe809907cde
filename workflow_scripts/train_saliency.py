"""Train the saliency network on a folder of images and foreground masks."""

import argparse
import json
from dataclasses import fields
from itertools import chain

import torch

from getam_core.files import write_json
from getam_core.once import stamp
from getam_core.saliency import SaliencyPlan, find_pairs, train_saliency
from getam_core.training import Processes, joined
from workflow_scripts import command
from workflow_scripts.saliency_network import build_saliency_network


def main(arguments: argparse.Namespace) -> None:
    device = command.torch_device(arguments)
    with command.only_copy(arguments), joined(device) as processes:
        train(arguments, processes, device)


def train(arguments: argparse.Namespace, processes: Processes, device: torch.device) -> None:
    """Train, and let the first process write how good the network is."""
    settings = command.settings_of(arguments)
    pairs = find_pairs(arguments.images)
    identity = json.loads(arguments.settings) | {"images": stamp(chain.from_iterable(pairs))}
    finished = command.finished(arguments, identity, "out", "scores")
    if command.finished_before(arguments, finished, processes):
        return
    torch.manual_seed(settings.seed)
    keys = {field.name for field in fields(SaliencyPlan)} - {"seed"}
    plan = SaliencyPlan(**settings.saliency.model_dump(include=keys), seed=settings.seed)
    score = train_saliency(
        pairs,
        build_saliency_network(settings, initial_weights=True),
        plan,
        identity=json.loads(arguments.settings),
        precision=settings.saliency.precision,
        checkpoint_minutes=settings.saliency.checkpoint_minutes,
        workers=arguments.threads if device.type == "cuda" else 0,
        out=finished.place(arguments.out),
        state=arguments.state,
        events=arguments.events,
        device=device,
        processes=processes,
    )
    if processes.is_first:
        write_json(finished.place(arguments.scores), {"held_out": score, "pairs": len(pairs)})
        finished.hand_over()
        arguments.state.unlink(missing_ok=True)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        images="folder with images/ and masks/",
        out="network.pt",
        scores="saliency.json",
        state="resume state, kept when the job fails",
        events="folder of the TensorBoard events",
    )
    command.add_saving(arguments_parser)
    command.run(main, arguments_parser)
