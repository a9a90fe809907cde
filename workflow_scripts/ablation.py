"""Score pseudo labels under several settings against the masks, from stored maps; with a plot."""

import argparse
from pathlib import Path

from getam_core.data import evenly, of_split, read_index
from getam_core.evaluation import (
    label_entry,
    masks_of,
    read_mask_index,
)
from getam_core.evaluation.ablation import evaluate_variants, sweep_variants
from getam_core.files import atomic_path, write_json
from getam_core.report import sweep_figure
from getam_core.settings import SWEEPS
from getam_core.stores import open_store
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    command.torch_device(arguments)
    maps = open_store(arguments.maps, "maps")
    saliency = open_store(arguments.saliency, "saliency") if arguments.saliency else None
    training = of_split(read_index(arguments.index), "train")
    entries = evenly(training, settings.ablation.images or len(training))
    variants = sweep_variants(
        arguments.sweep, settings.pseudo_labels.model_dump(), settings.ablation.model_dump()
    )
    matrices = evaluate_variants(
        entries,
        masks_of(entries, read_mask_index(arguments.masks)),
        maps,
        saliency,
        variants,
        workers=arguments.threads,
    )
    method = maps.settings.get("method", "getam")
    scored = [
        {"variant": name}
        | label_entry("train", "pseudo_labels", method, matrix, maps.classes, variants[name])
        for name, matrix in matrices.items()
    ]
    ordered = arguments.sweep in ("alpha", "gamma")
    sweep = {"run": arguments.run, "sweep": arguments.sweep, "ordered": ordered, "entries": scored}
    with atomic_path(arguments.plot) as temporary:
        sweep_figure(sweep).savefig(temporary, dpi=150)
    write_json(arguments.out, sweep)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__, index="index.csv", masks="masks.csv", maps="maps.h5", plot="PNG", out="JSON"
    )
    arguments_parser.add_argument("--run", required=True, help="name of the run")
    arguments_parser.add_argument("--sweep", required=True, choices=SWEEPS)
    arguments_parser.add_argument("--saliency", type=Path, help="saliency.h5")
    command.run(main, arguments_parser)
