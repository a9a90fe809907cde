"""The costly steps timed against their straightforward forms: `python -m benchmarks`.

Reading order: `timing` (fair medians, tables), `explicit` and `published` (what we compare
with), `maps`, `labels`, `loader` and `step` (one table each); `gpu` and `quality` (commands).
"""

from getam_core.waiting import wait_briefly

wait_briefly()  # as the stages do
