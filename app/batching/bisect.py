"""Bisection of a failed batch to find its bad inputs."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def by_halves(
    function: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
) -> list[Result | Exception]:
    """Calls `function(items)`; where it raises, each half apart, until an item that fails alone has its exception.

    One bad item among n costs about 2 log2(n) further calls, n bad ones 2n. Out of memory heals itself: half may fit.

    >>> def inverses(numbers):
    ...     return [1 / number for number in numbers]
    >>> by_halves(inverses, [1, 2, 0, 4])
    [1.0, 0.5, ZeroDivisionError('division by zero'), 0.25]
    """
    try:
        results = function(items)
        if len(results) != len(items):
            # Never hand one caller the answer of another.
            raise RuntimeError(f"{len(results)} results for {len(items)} items")
        return list(results)
    except Exception as error:
        if len(items) <= 1:
            return [error] * len(items)
    middle = len(items) // 2
    return by_halves(function, items[:middle]) + by_halves(function, items[middle:])
