"""`python -m getam_core.stores verify|summary|export|import`: look into a store, or make one."""

import argparse
import sys
from pathlib import Path

from getam_core.classes import VOC_CLASSES
from getam_core.errors import InputError
from getam_core.stores.coco import export_coco
from getam_core.stores.export import export_png
from getam_core.stores.importing import import_png, label_pngs
from getam_core.stores.reader import open_store, verify
from getam_core.stores.summary import summary
from getam_core.stores.writer import StoreWriter


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 for a store that is not whole, 2 for wrong input."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "verify":
            return _verify(options.file)
        if options.command == "import":
            count = _import(options.folder, options.out, tuple(options.classes))
            print(f"{options.out}: label maps of {count} images")
        elif options.command == "summary":
            print(summary(open_store(options.file)))
        elif options.out.suffix == ".json":
            count = export_coco(open_store(options.file), options.out)
            print(f"{options.out}: regions of {count} images")
        else:
            count = export_png(open_store(options.file), options.out)
            print(f"{options.out}: {count} PNG files")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m getam_core.stores", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "verify": "read every image and check it against its checksum",
        "summary": "say what the file holds, with a histogram",
        "export": "write PNG files into a folder, or regions (COCO RLE) into a .json file",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("file", type=Path, metavar="FILE")
        if name == "export":
            command.add_argument("out", type=Path, metavar="FOLDER|FILE.json")
    command = commands.add_parser("import", help="make labels.h5 of index or grey PNG files")
    command.add_argument("folder", type=Path, metavar="FOLDER", help="of <image_id>.png")
    command.add_argument("out", type=Path, metavar="FILE")
    command.add_argument(
        "--classes",
        nargs="+",
        default=VOC_CLASSES,
        metavar="NAME",
        help="of the labels 1, 2, ..., without background; those of PASCAL VOC",
    )
    return parser


def _import(folder: Path, out: Path, classes: tuple[str, ...]) -> int:
    files = label_pngs(folder)
    with StoreWriter(out, "labels", classes, {"imported_from": folder.name}) as writer:
        return import_png(files, writer, len(classes))


def _verify(path: Path) -> int:
    problems = verify(path)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{path}: whole, {len(open_store(path))} images")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
