"""Score the trained network's GETAM maps by fusion or by blocks; with a plot."""

import argparse
from typing import Any

import numpy as np

from getam_core.data import class_names, evenly, of_split, read_index
from getam_core.evaluation import masks_of, read_mask_index, seed_entry
from getam_core.evaluation.map_studies import evaluate_maps, map_variants
from getam_core.files import atomic_path, write_json
from getam_core.networks import load_network
from getam_core.report import map_study_figure
from getam_core.settings import MAP_STUDIES
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    index = read_index(arguments.index)
    classes = class_names(settings.data.classes, index)
    training = of_split(index, "train")
    entries = evenly(training, settings.ablation.images or len(training))
    network = load_network(arguments.checkpoint)
    own = settings.getam.model_dump(exclude={"store_blocks"})
    variants = map_variants(arguments.study, own, len(network.vit.blocks))
    exported = settings.maps.model_dump()
    scored = evaluate_maps(
        network,
        entries,
        masks_of(entries, read_mask_index(arguments.masks)),
        variants,
        classes=classes,
        device=command.torch_device(arguments),
        **exported,
    )
    described = [
        entry_of(name, variants[name] | exported, curve, histogram, classes)
        for name, (curve, histogram) in scored.items()
    ]
    study = {"run": arguments.run, "sweep": arguments.study, "entries": described}
    with atomic_path(arguments.plot) as temporary:
        map_study_figure(study).savefig(temporary, dpi=150)
    write_json(arguments.out, study)


def entry_of(
    name: str, shown: dict[str, Any], curve: Any, histogram: np.ndarray, classes: tuple[str, ...]
) -> dict[str, Any]:
    """Describe the seeds of one variant, with the histogram of its maps' values."""
    entry = seed_entry("train", "getam", curve, classes, shown)
    return {"variant": name} | entry | {"histogram": [round(float(x), 6) for x in histogram]}


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__,
        index="index.csv",
        masks="masks.csv",
        checkpoint="checkpoint.pt",
        plot="PNG",
        out="JSON",
    )
    arguments_parser.add_argument("--run", required=True, help="name of the run")
    arguments_parser.add_argument("--study", required=True, choices=MAP_STUDIES)
    command.run(main, arguments_parser)
