"""Ctrl-C and SIGTERM as a request that a loop honours between two steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in the list that is given, instead of raising anywhere.

    A second SIGINT raises `KeyboardInterrupt` at once. Signals behave as before after the block.
    """
    received: list[int] = []

    def request(number: int, _frame: object) -> None:
        if number == signal.SIGINT and number in received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {n: signal.signal(n, request) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
