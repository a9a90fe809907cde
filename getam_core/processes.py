"""Work on many images in several processes, each on one core."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from getam_core.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

LESS = (
    "use fewer processes (--threads of a stage, --cores or --set-threads of Snakemake) or a"
    " machine with more memory"
)
_work: Callable[[Any], Any]  # of a worker process
WAITING = 4  # items a worker that are sent ahead: results come in order, and some take longer


def parallel_map(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    name: Callable[[Item], str] | None = None,
) -> Iterator[Result]:
    """Yield `work(item)` in the order of `items`; 1 worker stays in this process.

    Items are taken as they are needed, so that there may be more of them than memory holds.

    Parameters
    ----------
    work : callable
        Can be pickled; sent to each worker once.
    workers : int
        Processes. They end with this one, however it ends.
    name : callable, optional
        Gives the image_id of an item; an exception of `work` gets it as a note.

    Raises
    ------
    InputError
        Memory ran out, or a worker was killed, which is what the system does then.
    """
    named = ((item, None if name is None else name(item)) for item in items)
    if workers <= 1:
        for item, known in named:
            with _naming(known):
                result = work(item)
            yield result
        return
    # Not forked: a fork inherits the locks of this process's threads, and may wait for ever.
    context = get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(work,)
    ) as pool:
        sent: deque[tuple[Future[Result], str | None]] = deque()
        try:
            for item, known in named:
                sent.append((pool.submit(_do, item), known))
                if len(sent) == WAITING * workers:
                    yield _result(*sent.popleft())
            while sent:
                yield _result(*sent.popleft())
        except BrokenProcessPool:
            raise InputError(f"a worker was killed, most likely for memory: {LESS}") from None
        finally:
            for future, _ in sent:
                future.cancel()


def _result(future: "Future[Result]", name: str | None) -> Result:
    with _naming(name):
        return future.result()


@contextmanager
def _naming(name: str | None) -> Iterator[None]:
    """Say of an exception which image it was."""
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        where = "" if name is None else f"image {name!r}: "
        raise InputError(f"{where}memory ran out: {LESS}") from None
    except Exception as error:
        if name is not None:
            error.add_note(f"image {name!r}")
        raise


def _start_worker(work: Callable) -> None:
    global _work
    import cv2
    import torch  # where the processes start, they compute: what only plans need not import it

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work = work


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "only workers come here"
    connection.wait([parent.sentinel])
    os._exit(1)


def _do(item: Any) -> Any:
    return _work(item)
