"""Load one archive of a public data set; resumes where it stopped."""

import argparse

from getam_core.archives import ARCHIVES
from getam_core.data.download import download
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    download(ARCHIVES[arguments.out.name], arguments.out)


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, out="the archive, under its own name"))
