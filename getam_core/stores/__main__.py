"""`python -m getam_core.stores verify|summary|export FILE`: look into a store from the shell."""

import argparse
import json
import sys
from pathlib import Path

from getam_core.errors import InputError
from getam_core.stores.export import export_png
from getam_core.stores.reader import open_store, verify


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 for a store that is not whole, 2 for wrong input."""
    options = _parser().parse_args(arguments)
    if options.command == "verify":
        return _verify(options.file)
    try:
        if options.command == "summary":
            _summary(options.file)
        else:
            count = export_png(open_store(options.file), options.folder)
            print(f"{options.folder}: {count} PNG files")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m getam_core.stores", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "verify": "read every image and check it against its checksum",
        "summary": "say what the file holds",
        "export": "write label maps, predictions or saliency as PNG files",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("file", type=Path, metavar="FILE")
        if name == "export":
            command.add_argument("folder", type=Path, metavar="FOLDER")
    return parser


def _verify(path: Path) -> int:
    problems = verify(path)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{path}: whole, {len(open_store(path))} images")
    return int(bool(problems))


def _summary(path: Path) -> None:
    store = open_store(path)
    print(f"{path}: {store.kind}, {len(store)} images")
    print(f"classes ({len(store.classes)}): {', '.join(store.classes)}")
    print(f"settings: {json.dumps(store.settings, indent=2)}")


if __name__ == "__main__":
    sys.exit(main())
