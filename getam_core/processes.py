"""Work on many images in several processes, each on one core."""

import os
import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import connection, get_context, parent_process
from typing import Any, Self, TypeVar

from getam_core.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

LESS = (
    "use fewer processes (--threads of a stage, --cores or --set-threads of Snakemake) or a"
    " machine with more memory"
)
WAITING = 4  # items sent ahead per worker: results come in order, and some take longer


class Workers:
    """Processes that live for a whole stage, since starting one takes seconds.

    Parameters
    ----------
    count : int
        Number of processes, started by the first `map`; with 1, this process does the work. They
        end with this process, however it ends.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        name: Callable[[Item], str] | None = None,
    ) -> Iterator[Result]:
        """Yield `work(item)` in the order of `items`.

        Items are taken as they are needed, so there may be more of them than fit in memory.

        Parameters
        ----------
        work : callable
            Can be pickled; each worker unpickles it once.
        name : callable, optional
            Returns the image_id of an item, which is added as a note to an exception of `work`.

        Raises
        ------
        InputError
            Memory ran out, or a worker was killed, as the system does when memory runs out.
        """
        named = ((item, None if name is None else name(item)) for item in items)
        if self.count <= 1:
            for item, known in named:
                with _naming(known):
                    result = work(item)
                yield result
            return
        pool, sent = self._started(), deque[tuple[Future[Result], str | None]]()
        packed = pickle.dumps(work)
        try:
            for item, known in named:
                sent.append((pool.submit(_do, packed, item), known))
                if len(sent) == WAITING * self.count:
                    yield _result(*sent.popleft())
            while sent:
                yield _result(*sent.popleft())
        except BrokenProcessPool:
            raise InputError(f"a worker was killed, probably for lack of memory: {LESS}") from None
        finally:
            for future, _ in sent:
                future.cancel()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Not forked: a fork inherits the locks of this process's threads, and may deadlock.
            self._pool = ProcessPoolExecutor(
                self.count, mp_context=get_context("spawn"), initializer=_start_worker
            )
        return self._pool


def parallel_map(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    name: Callable[[Item], str] | None = None,
) -> Iterator[Result]:
    """Yield `work(item)` in the order of `items`, with `Workers` of its own; see `Workers.map`."""
    with Workers(workers) as processes:
        yield from processes.map(work, items, name)


def _result(future: "Future[Result]", name: str | None) -> Result:
    with _naming(name):
        return future.result()


@contextmanager
def _naming(name: str | None) -> Iterator[None]:
    """Add to an exception which image it was about."""
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


def _start_worker() -> None:
    import cv2
    import torch  # here: programs that only plan do not import it

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    end_with_parent()


def end_with_parent() -> None:
    """Let a worker end when its parent has ended, even by a kill."""
    parent = parent_process()
    assert parent is not None, "only workers come here"

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _do(packed: bytes, item: Any) -> Any:
    return _unpacked(packed)(item)


@lru_cache(maxsize=1)  # in a worker; only the latest, since it may hold open files
def _unpacked(packed: bytes) -> Callable[[Any], Any]:
    return pickle.loads(packed)
