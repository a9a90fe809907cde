"""`python -m getam_core.explain`: what `command` does, with threads that wait passively."""

import sys

from getam_core.waiting import wait_passively

if __name__ == "__main__":
    wait_passively()  # before the command imports torch
    from getam_core.explain.command import main

    sys.exit(main())
