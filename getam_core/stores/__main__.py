"""`python -m getam_core.stores verify|summary|export|import`: look into a store, or make one."""

import argparse
import logging
import sys
from functools import partial
from pathlib import Path

from getam_core.classes import VOC_CLASSES
from getam_core.errors import InputError
from getam_core.file_access import refusal
from getam_core.stores.coco import export_coco
from getam_core.stores.export import export_png
from getam_core.stores.importing import import_png, label_pngs
from getam_core.stores.label_images import parse_values, read_label_png
from getam_core.stores.names import file_names, find_index
from getam_core.stores.reader import Store, open_store, verify
from getam_core.stores.summary import summary
from getam_core.stores.writer import StoreWriter
from getam_core.stores.yolo import export_yolo

WRONG_INPUT = 2


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 for a store that is not whole, 2 for wrong input."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    try:
        return COMMANDS[options.command](options)
    except InputError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        refused = refusal(error.filename or options.file, error, "could not be used")
        if refused is None:
            raise
        print(refused, file=sys.stderr)
    return WRONG_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m getam_core.stores", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "verify": "read every image and check it against its checksum",
        "summary": "say what the file holds, with a histogram",
        "export": "write label maps as PNG files, COCO JSON or YOLO labels, saliency as PNG files",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("file", type=Path, metavar="FILE")
        if name == "export":
            _add_export(command)
    command = commands.add_parser("import", help="make labels.h5 from index or grey PNG files")
    command.add_argument("file", type=Path, metavar="FOLDER", help="with <image_id>.png files")
    command.add_argument("out", type=Path, metavar="FILE")
    command.add_argument(
        "--classes",
        nargs="+",
        default=VOC_CLASSES,
        metavar="NAME",
        help="classes of the labels 1, 2, ..., without background (PASCAL VOC's)",
    )
    command.add_argument(
        "--values",
        nargs="+",
        default=[],
        metavar="VALUE=NAME",
        help="which grey value or colour is which class, where the values are not the labels:"
        " 255=defect, or 128,0,0=cat; also =background and =ignore",
    )
    return parser


def _add_export(command: argparse.ArgumentParser) -> None:
    command.add_argument("out", type=Path, metavar="FOLDER|FILE.json")
    command.add_argument(
        "--format",
        choices=("png", "coco", "yolo"),
        help="png: <image_id>.png into a folder; coco: one JSON file with regions (RLE);"
        " yolo: polygons into a folder; by default coco for a .json, else png",
    )
    command.add_argument(
        "--index",
        type=Path,
        metavar="FILE",
        help="index.csv with the images' file names, for coco and yolo; by default that of the"
        " run that FILE is in; without one, image_ids are used as file names",
    )


def _verify(options: argparse.Namespace) -> int:
    problems = verify(options.file, progress=True)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{options.file}: intact, {len(open_store(options.file))} images")
    return int(bool(problems))


def _summary(options: argparse.Namespace) -> int:
    print(summary(open_store(options.file)))
    return 0


def _export(options: argparse.Namespace) -> int:
    store, out = open_store(options.file), options.out
    wanted = options.format or ("coco" if out.suffix == ".json" else "png")
    if wanted == "coco":
        print(f"{out}: regions of {export_coco(store, out, _names(store, options.index))} images")
    elif wanted == "yolo":
        print(f"{out}: polygons of {export_yolo(store, out, _names(store, options.index))} images")
    elif options.index is not None:
        raise InputError("--index: PNG files are named by image_id, regardless of the index")
    else:
        print(f"{out}: {export_png(store, out)} PNG files")
    return 0


def _names(store: Store, index: Path | None) -> dict[str, str] | None:
    """Return the images' file names, and say where they come from."""
    index = index or find_index(store.path)
    if index is None:
        said = "image_ids are used as file names: no index.csv was found, and --index was not given"
        print(said, file=sys.stderr)
        return None
    folder, names = file_names(index, store.ids())
    print(f"file names of {index}, as paths below {folder}", file=sys.stderr)
    return names


def _import(options: argparse.Namespace) -> int:
    classes, out = tuple(options.classes), options.out
    files = label_pngs(options.file)
    given = dict(word.partition("=")[::2] for word in options.values)
    values = parse_values(given, classes) if given else None
    read = partial(read_label_png, values=values)
    with StoreWriter(out, "labels", classes, {"imported_from": options.file.name}) as writer:
        count = import_png(files, writer, len(classes), read)
    print(f"{out}: label maps of {count} images")
    return 0


COMMANDS = {"verify": _verify, "summary": _summary, "export": _export, "import": _import}

if __name__ == "__main__":
    sys.exit(main())
