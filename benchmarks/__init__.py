"""How fast the costly steps are beside their straightforward forms: `python -m benchmarks`.

Reading order: `timing` (fair medians, tables), `explicit` and `published` (what is compared
with), `maps`, `labels`, `loader` and `step` (one table each); `gpu` and `quality` (commands).
"""

from getam_core.waiting import wait_briefly

wait_briefly()  # as the stages do
