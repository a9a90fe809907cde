"""Find and check the ground truth, for evaluation alone."""

import argparse

import command

from getam_core.data import read_index
from getam_core.evaluation import check_masks, find_masks, write_mask_index


def main(arguments: argparse.Namespace) -> None:
    entries = read_index(arguments.index)
    masks = find_masks(arguments.root, entries)
    check_masks(masks, entries, 1 + len(command.settings_of(arguments).data.classes))
    write_mask_index(arguments.out, masks)


if __name__ == "__main__":
    command.run(
        main,
        command.parser(__doc__, root="folder of the data set", index="index.csv", out="masks.csv"),
    )
