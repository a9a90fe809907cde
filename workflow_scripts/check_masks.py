"""Find and check the ground truth, for evaluation alone."""

import argparse

from getam_core.data import of_split, read_index
from getam_core.evaluation import check_masks, find_masks, write_mask_index
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    entries = of_split(read_index(arguments.index), arguments.split)
    masks = find_masks(arguments.root, entries)
    check_masks(masks, entries, 1 + len(command.settings_of(arguments).data.classes))
    write_mask_index(arguments.out, masks)


if __name__ == "__main__":
    arguments_parser = command.parser(
        __doc__, root="folder of the data set", index="index.csv", out="masks.csv"
    )
    arguments_parser.add_argument("--split", required=True, choices=("train", "val"))
    command.run(main, arguments_parser)
