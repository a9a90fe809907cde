"""How the threads of a program wait for each other."""

import os

# Iterations of libgomp's waiting loop, about 0.3 ms. If threads slept at once, waking them would
# cost small steps more time than a second thread saves.
SPINS = 10_000


def wait_briefly() -> None:
    """Let OpenMP's threads spin briefly at barriers, then sleep; the environment takes precedence.

    By default they spin for long and keep cores from threads that have work: two processes of two
    threads on two cores then run at a third of their speed, or worse. Only programs should call
    this, before they import torch: OpenMP reads the variables when it is loaded, and they hold for
    the whole process and its children. Only libgomp can count spins; other runtimes sleep at once.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=str(SPINS))
