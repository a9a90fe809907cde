"""Train the saliency network on a folder of images and foreground masks."""

import argparse
import json
from dataclasses import fields

import torch

from getam_core.files import write_json
from getam_core.saliency import SaliencyPlan, find_pairs, train_saliency
from workflow_scripts import command
from workflow_scripts.saliency_network import build_saliency_network


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    pairs = find_pairs(arguments.images)
    device = command.torch_device(arguments)
    torch.manual_seed(settings.seed)
    keys = {field.name for field in fields(SaliencyPlan)} - {"seed"}
    plan = SaliencyPlan(**settings.saliency.model_dump(include=keys), seed=settings.seed)
    score = train_saliency(
        pairs,
        build_saliency_network(settings, initial_weights=True),
        plan,
        identity=json.loads(arguments.settings),
        workers=arguments.threads if device.type == "cuda" else 0,
        out=arguments.out,
        state=arguments.state,
        device=device,
    )
    write_json(arguments.scores, {"held_out": score, "pairs": len(pairs)})


if __name__ == "__main__":
    command.run(
        main,
        command.parser(
            __doc__,
            images="folder with images/ and masks/",
            out="network.pt",
            scores="saliency.json",
            state="resume state, kept when the job fails",
        ),
    )
