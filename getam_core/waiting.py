"""How the threads of a program wait for each other."""

import os


def wait_passively() -> None:
    """Let OpenMP's threads sleep at barriers, unless the environment says how they wait.

    By default they spin, and keep the cores from whoever has work: two processes of two threads
    on two cores then run at a third of their speed. For programs alone, before torch is imported:
    OpenMP reads the variable when it is loaded; it holds for the whole process and its children.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
