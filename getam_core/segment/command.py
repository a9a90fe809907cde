"""`python -m getam_core.segment PICTURE... --model FILE -o FOLDER`: masks of new pictures.

FOLDER then has masks/<name>.png (index PNGs in VOC's colours), segment.csv (sizes, class scores,
areas) and segment.json (how they were made). The same command resumes where it was stopped.
"""

import argparse
import signal
import sys
from pathlib import Path

import torch

from getam_core.errors import InputError
from getam_core.file_access import refusal
from getam_core.files import digest
from getam_core.inference.large import TILE
from getam_core.refine.crf import RECIPES
from getam_core.segment.folder import Outcome, segment_folder
from getam_core.segment.onnx_file import export_onnx
from getam_core.segment.pictures import find_pictures
from getam_core.segment.results import Results
from getam_core.segment.segmenter import Segmenter

WRONG_PICTURES, WRONG_INPUT = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Segment, or export; return 0, 1 if a picture could not be read, 2 for wrong input."""
    parser = _parser()
    options = parser.parse_args(arguments)
    one_of_two = bool(options.pictures) != (options.out is not None)
    if one_of_two or not (options.pictures or options.export_onnx):
        parser.error("give pictures and -o FOLDER, or --export-onnx FILE")
    try:
        return _run(options)
    except InputError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        refused = refusal(error.filename or options.out, error, "could not be used")
        if refused is None:
            raise
        print(refused, file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped on request: the same command resumes", file=sys.stderr)
        return 128 + signal.SIGINT
    return WRONG_INPUT


def _run(options: argparse.Namespace) -> int:
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.export_onnx is not None:
        print(export_onnx(options.model, options.export_onnx))
    if not options.pictures:
        return 0
    pictures = find_pictures(options.pictures, options.out)
    segmenter = Segmenter.load(
        options.model,
        sizes=options.sizes,
        scales=options.scales,
        flip=not options.no_flip,
        crf=options.crf_recipe if options.crf else None,
        tile=options.tile,
        device=options.device,
    )
    results = Results(options.out, segmenter.classes)
    made_by = {"model": digest(options.model), "settings": segmenter.settings}
    results.claim({"schema": 1, **made_by, "classes": list(segmenter.classes)})
    outcome = segment_folder(
        segmenter,
        pictures,
        results,
        overlay=options.overlay,
        workers=torch.get_num_threads(),
    )
    _report(outcome, options.out)
    return WRONG_PICTURES if outcome.wrong else 0


def _report(outcome: Outcome, folder: Path) -> None:
    stood = f", {outcome.stood} already existed" if outcome.stood else ""
    print(f"{folder}: {outcome.made} masks made{stood}")
    if outcome.wrong:
        print(f"{len(outcome.wrong)} of the pictures could not be read:", file=sys.stderr)
        for message in outcome.wrong.values():
            print(f"  {message}", file=sys.stderr)


def _size(text: str) -> int | None:
    return None if text == "native" else _count(text)


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _factor(text: str) -> float:
    if not 0 < (number := float(text)) < 100:
        raise ValueError
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m getam_core.segment", description=__doc__)
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PICTURE", help="files, folders (at any depth), patterns")
    add(
        "--model", required=True, type=Path, metavar="FILE",
        help="results/<run>/train/checkpoint.pt or results/<run>/deeplabv2/checkpoint.pt",
    )  # fmt: skip
    add("-o", "--out", type=Path, metavar="FOLDER", help="for the results")
    add("--overlay", action="store_true", help="also draw the masks over the pictures")
    add("--crf", action="store_true", help="smooth with a dense CRF, as the paper does")
    add("--crf-recipe", choices=RECIPES, default="getam", help="whose test settings to use (getam)")
    add(
        "--sizes", nargs="+", type=_size, metavar="PX",
        help="long sides to average over, `native` for a picture's own (the network's own size)",
    )  # fmt: skip
    add(
        "--scales", nargs="+", type=_factor, metavar="FACTOR",
        help="the same for DeepLabv2: factors on a picture's sides (1)",
    )  # fmt: skip
    add("--no-flip", action="store_true", help="do not average over the mirrored picture")
    add(
        "--tile", type=_count, metavar="PX",
        help=f"larger pictures are segmented by overlapping tiles of this side ({TILE}, rounded"
        " down to the network's stride)",
    )  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=_count, metavar="N", help="CPU threads, also for the CRF (all)")
    add(
        "--export-onnx", type=Path, metavar="FILE.onnx",
        help="write the network with its normalisation, and compare it with onnxruntime's results",
    )  # fmt: skip
    return parser
