"""The commands of the rules, one per stage: parse arguments, call getam_core, write outputs."""

from getam_core.waiting import wait_briefly

wait_briefly()  # for every stage: `python -m workflow_scripts.<stage>` imports this file first
