"""List the test images of a VOC devkit, which have no labels."""

import argparse
import logging

from getam_core.data import list_voc, write_index
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    name = command.settings_of(arguments).submission.list
    listing = list_voc(arguments.root, {"test": name}, None, labels_of=lambda image_id: ())
    entries = listing.checked(None, splits=("test",), workers=arguments.threads)
    write_index(arguments.out, entries)
    logging.info("%d images of the list %s", len(entries), name)


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, root="folder of the devkit", out="index.csv"))
