"""Download one archive of a public data set; resumes where it stopped."""

import argparse

from getam_core.downloads import download
from getam_core.downloads.archives import ARCHIVES
from workflow_scripts import command


def main(arguments: argparse.Namespace) -> None:
    download(ARCHIVES[arguments.out.name], arguments.out)


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, out="the archive, under its own name"))
