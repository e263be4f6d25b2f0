"""Ordered work on several threads: items are read and results taken while threads compute."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int) -> Iterator[Result]:
    """Yields the result for each item in order; at most `threads + ahead` items are in memory.

    The caller's thread reads the items and uses the results. Threads gain where `work` leaves the interpreter, as the
    engine, the tokenizer and pyarrow do.

    >>> list(ordered_map(abs, [-3, 2, -1], threads=2, ahead=1))
    [3, 2, 1]
    """
    with ThreadPoolExecutor(threads, "bulk") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= threads + ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
