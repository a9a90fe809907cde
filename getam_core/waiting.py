"""How the threads of a program wait for each other."""

import os

# Turns of libgomp's loop, about 0.3 ms. Where threads sleep at once, waking them costs small steps
# more than a second thread brings.
SPINS = 10_000


def wait_briefly() -> None:
    """Let OpenMP's threads spin briefly at barriers, then sleep; the environment can say otherwise.

    By default they spin for long, and keep the cores from whoever has work: two processes of two
    threads on two cores then run at a third of their speed, or worse. For programs alone, before
    torch is imported: OpenMP reads the variables when it is loaded; they hold for the whole process
    and its children. Of libgomp alone the spins can be counted; others sleep at once.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=str(SPINS))
