"""`python -m getam_core.explain IMAGE... --model NAME -o OUT.png`: what a network sees, drawn."""

import argparse
import sys
from pathlib import Path

import torch

from getam_core.activation import METHODS
from getam_core.data import read_image
from getam_core.errors import InputError
from getam_core.explain.figure import explain
from getam_core.explain.subject import load_subject
from getam_core.files import atomic_path


def main(arguments: list[str] | None = None) -> int:
    """Write the picture; return 0, or 2 for wrong input."""
    options = _parser().parse_args(arguments)
    weights = None if options.weights == "random" else options.weights
    try:
        images = [read_image(path) for path in options.images]
        figure = explain(
            images,
            load_subject(options.model, weights=weights, size=options.size),
            classes=options.classes,
            top=options.top,
            methods=list(METHODS) if options.compare else [options.method],
            device=options.device or ("cuda" if torch.cuda.is_available() else "cpu"),
        )
        with atomic_path(options.out) as temporary:
            figure.savefig(temporary, dpi=options.dpi, bbox_inches="tight", pad_inches=0.05)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(options.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m getam_core.explain", description=__doc__)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument(
        "--model", required=True, help="timm's name of a network, or a run's train/checkpoint.pt"
    )
    parser.add_argument(
        "--weights", default="hub", help="of timm's network: a file, hub (default), or random"
    )
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--classes", nargs="+", metavar="NAME", help="which classes to look for")
    wanted.add_argument("--top", type=int, default=3, help="the likeliest ones (3)")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--method", choices=METHODS, default="getam")
    shown.add_argument("--compare", action="store_true", help="all methods side by side")
    parser.add_argument("--size", type=int, help="side of the images in pixels; see load_subject")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="a GPU if there is one")
    parser.add_argument("--dpi", type=int, default=100)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.png")
    return parser
