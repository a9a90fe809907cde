"""Work on many images in several processes, each on one core."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING = 4  # items a worker that are sent ahead: results come in order, and some take longer


def parallel_map(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Yield `work(item)` in the order of `items`; 1 worker stays in this process.

    Items are taken as they are needed, so that there may be more of them than memory holds.

    Parameters
    ----------
    work : callable
        Can be pickled; sent to each worker once.
    workers : int
        Processes. They end with this one, however it ends.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    # Not forked: a fork inherits the locks of this process's threads, and may wait for ever.
    context = get_context("spawn")
    started = {"initializer": _start_worker, "initargs": (work,)}
    with ProcessPoolExecutor(workers, mp_context=context, **started) as pool:
        sent: deque[Future[Result]] = deque()
        try:
            for item in items:
                sent.append(pool.submit(_do, item))
                if len(sent) == WAITING * workers:
                    yield sent.popleft().result()
            while sent:
                yield sent.popleft().result()
        finally:
            for future in sent:
                future.cancel()


def _start_worker(work: Callable) -> None:
    global _work
    import cv2
    import torch  # where the processes start, they compute: what only plans need not import it

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work = work


def _end_with_parent() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)


def _do(item: Item) -> Result:
    return _work(item)
