"""The commands of the rules, one a stage: parse arguments, call getam_core, write outputs."""

from getam_core.waiting import wait_briefly

wait_briefly()  # of every stage: `python -m workflow_scripts.<stage>` comes here first
