"""List the images with their splits and classes, and check them before any long work."""

import argparse
import logging

from getam_core.data import check_images, read_voc, write_index
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    data = command.settings_of(arguments).data
    entries = read_voc(arguments.root, {"train": data.train, "val": data.val}, data.classes)
    check_images(entries, arguments.threads)
    write_index(arguments.out, entries)
    for split in ("train", "val"):
        logging.info("%d images of split %s", sum(e.split == split for e in entries), split)


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, root="folder of the data set", out="index.csv"))
