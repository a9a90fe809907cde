"""Work on images in batches of similar ones: read ahead, grouped within a window, put in order.

Neighbours in a list seldom have the same shape: photographs are wide or tall. Batches are therefore
formed within a window of the list, and every item keeps its place in the list.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WINDOW = 512  # items
WINDOW_BYTES = 2**27  # or fewer items that reach this size; the next window is read meanwhile


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Yield `read(item)` in order; a few items are read ahead, in threads.

    Decoding and resizing release the interpreter lock, so that threads do as well as processes.
    """
    with ThreadPoolExecutor(threads) as pool:
        sent: deque = deque()
        try:
            for item in items:
                sent.append(pool.submit(read, item))
                if len(sent) > 2 * threads:
                    yield sent.popleft().result()
            while sent:
                yield sent.popleft().result()
        finally:
            for future in sent:
                future.cancel()


def batches_alike(
    items: Iterable[Item],
    size: int,
    *,
    alike: Callable[[Item], Hashable],
    nbytes: Callable[[Item], int],
    window: int = WINDOW,
    most: int = WINDOW_BYTES,
) -> Iterator[list[tuple[int, Item]]]:
    """Yield batches of at most `size` items for which `alike` is equal, each with its place.

    While the batches of a window are processed, a thread takes the next window from `items`.

    Parameters
    ----------
    window, most : int
        Items, and bytes by `nbytes`, of a window, whichever is reached first.
    """
    for some in _one_ahead(_windows(enumerate(items), nbytes, window, most)):
        groups = defaultdict(list)
        for place, item in some:
            groups[alike(item)].append((place, item))
        for group in groups.values():
            yield from (group[start : start + size] for start in range(0, len(group), size))


def in_order(results: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """Yield results in the order of their places 0, 1, ..., each as soon as its turn comes."""
    early: dict[int, Result] = {}
    due = 0
    for place, result in results:
        early[place] = result
        while due in early:
            yield early.pop(due)
            due += 1
    assert not early, f"place {due} is missing"


def _windows(
    placed: Iterable[tuple[int, Item]], nbytes: Callable[[Item], int], window: int, most: int
) -> Iterator[list[tuple[int, Item]]]:
    some: list[tuple[int, Item]] = []
    held = 0
    for place, item in placed:
        some.append((place, item))
        held += nbytes(item)
        if len(some) == window or held >= most:
            yield some
            some, held = [], 0
    if some:
        yield some


def _one_ahead(items: Iterable[list[Item]]) -> Iterator[list[Item]]:
    """Yield the items; a thread takes the next one meanwhile."""
    iterator = iter(items)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, iterator, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, iterator, None)
            yield item
