"""The signals that ask a program to stop, and how a loop honours them between two steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, a scheduler, a closed terminal


def heeded() -> list[signal.Signals]:
    """Return `STOPS`, but without SIGHUP if it is ignored, as under `nohup`."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in STOPS if number != signal.SIGHUP or not ignored]


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Yield a list that collects stop signals, instead of letting them raise at any point.

    A second SIGINT raises `KeyboardInterrupt` at once. Signals behave as before after the block.
    """
    received: list[int] = []

    def request(number: int, _frame: object) -> None:
        if number == signal.SIGINT and number in received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {number: signal.signal(number, request) for number in heeded()}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
