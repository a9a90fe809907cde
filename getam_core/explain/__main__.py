"""`python -m getam_core.explain`: what `command` does, with threads that wait briefly."""

import sys

from getam_core.waiting import wait_briefly

if __name__ == "__main__":
    wait_briefly()  # before the command imports torch
    from getam_core.explain.command import main

    sys.exit(main())
