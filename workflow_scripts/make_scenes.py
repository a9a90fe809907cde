"""Draw the demo's data set in the layout of a VOC devkit."""

import argparse

from getam_core.scenes import write_scenes
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    scenes = command.settings_of(arguments).data.scenes
    write_scenes(arguments.out, scenes.train, scenes.val, scenes.size, scenes.seed)


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, out="folder to write"))
