"""List the images with their splits and classes, and check them before any long work."""

import argparse
import logging
from collections import Counter

from getam_core.data import class_names, write_index
from workflow_scripts import command
from workflow_scripts.data_set import list_data_set


def main(arguments: argparse.Namespace) -> None:
    settings = command.settings_of(arguments)
    listing = list_data_set(settings, arguments.root)
    entries = listing.checked(settings.data.classes, workers=arguments.threads)
    write_index(arguments.out, entries)
    names = class_names(settings.data.classes, entries)
    count = Counter(name for entry in entries for name in entry.classes)
    listed = ", ".join(f"{name} ({count[name]})" for name in names)
    logging.info("%d classes, with their images: %s", len(names), listed)
    for split in ("train", "val"):
        logging.info("%d images of split %s", sum(e.split == split for e in entries), split)


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, root="folder of the data set", out="index.csv"))
