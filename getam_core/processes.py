"""Work on many images in several processes, each on one core."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield `work(item)` in the order of `items`; 1 worker stays in this process.

    Parameters
    ----------
    work : callable
        Can be pickled; called in the workers.
    workers : int
        Processes; no more than there are items are started.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    # Not forked: a fork inherits the locks of this process's threads, and may wait for ever.
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        yield from pool.map(work, items, chunksize=4)


def _one_thread() -> None:
    import cv2
    import torch  # where the processes start, they compute: what only plans need not import it

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
