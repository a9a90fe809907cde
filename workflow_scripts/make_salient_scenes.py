"""Draw images with foreground masks, of shapes that the demo lacks, for the saliency network."""

import argparse

from getam_core.scenes import write_salient_scenes
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    scenes = command.settings_of(arguments).data.scenes
    write_salient_scenes(arguments.out, scenes.salient, scenes.size, scenes.seed)


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, out="folder to write"))
