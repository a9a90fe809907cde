"""Several processes: results in order, items read when needed, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from getam_core.errors import InputError
from getam_core.processes import WAITING, parallel_map

LAST = 12


def squared(x):
    time.sleep(0.05 if x in (0, 7) else 0)
    if x == LAST:
        raise ValueError(f"not {x}")
    return x * x


def test_results_come_in_order_items_as_they_are_needed_and_errors_where_they_belong():
    taken = []

    def items():
        for x in range(99):
            taken.append(x)
            yield x

    results = parallel_map(squared, items(), workers=2)
    assert next(results) == 0
    assert len(taken) <= 2 * WAITING
    assert [next(results) for _ in range(1, LAST)] == [x * x for x in range(1, LAST)]
    with pytest.raises(ValueError, match=f"not {LAST}"):
        next(results)
    assert len(taken) < 99


def test_one_worker_stays_in_this_process():
    assert set(parallel_map(lambda _: os.getpid(), range(3), workers=1)) == {os.getpid()}


def failing(how):
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "memory":
        raise MemoryError
    if how == "defect":
        raise KeyError("x")
    return how


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_says_which_image_it_was(workers):
    results = parallel_map(failing, ["well", "defect"], workers, "image of {}".format)
    assert next(results) == "well"
    with pytest.raises(KeyError) as raised:
        next(results)
    assert raised.value.__notes__ == ["image 'image of defect'"]


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_that_ran_out_is_a_line_with_the_image(workers):
    with pytest.raises(InputError, match=r"image 'image of memory': memory ran out: use fewer"):
        list(parallel_map(failing, ["memory"], workers, "image of {}".format))


def test_a_killed_worker_is_a_line():
    with pytest.raises(InputError, match="a worker was killed, probably for lack of memory: use"):
        list(parallel_map(failing, ["well", "killed"] + ["well"] * 20, 2))


ENDLESS = """
import os, time
from getam_core.processes import parallel_map

def name_oneself(item):
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    list(parallel_map(name_oneself, range(2), workers=2))
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_workers_end_with_a_process_that_is_killed(tmp_path, repository):
    (tmp_path / "endless.py").write_text(ENDLESS)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "endless.py"], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(repository)},
    )  # fmt: skip
    workers = [int(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while any(stands(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(stands(worker) for worker in workers)


def stands(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
