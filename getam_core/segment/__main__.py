"""`python -m getam_core.segment`: what `command` does, with threads that wait passively."""

import sys

from getam_core.waiting import wait_passively

if __name__ == "__main__":
    wait_passively()  # before the command imports torch
    from getam_core.segment.command import main

    sys.exit(main())
