"""Bisection of a failed batch to find its bad inputs."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def by_halves(
    function: Callable[[Sequence[Item]], Result], items: Sequence[Item], size: Callable[[Result], int]
) -> list[tuple[int, Result | Exception]]:
    """Calls `function(items)`; where it raises, each half apart, until an item that fails alone has its exception.

    One bad item among n costs about 2 log2(n) further calls, n bad ones 2n. Out of memory heals itself: half may fit.

    Args:
        function: gives one object for the results of all items that it is called with.
        items: in the order in which their results come back.
        size: number of results in such an object.

    Returns:
        Runs of items one after another: how many they are, and their results, or the exception of one item.

    >>> def inverses(numbers):
    ...     return [1 / number for number in numbers]
    >>> by_halves(inverses, [1, 2, 0, 4], len)
    [(2, [1.0, 0.5]), (1, ZeroDivisionError('division by zero')), (1, [0.25])]
    """
    try:
        results = function(items)
        if (num_results := size(results)) != len(items):
            # Never hand one caller the answer of another.
            raise RuntimeError(f"{num_results} results for {len(items)} items")
        return [(len(items), results)]
    except Exception as error:
        if len(items) <= 1:
            return [(1, error)] * len(items)
    middle = len(items) // 2
    return by_halves(function, items[:middle], size) + by_halves(function, items[middle:], size)
