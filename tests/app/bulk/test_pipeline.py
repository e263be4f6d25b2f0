import threading
from collections.abc import Iterator

import pytest

from app.bulk.pipeline import ordered_map


def test_results_keep_the_order_whoever_is_first() -> None:
    second_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_done.wait(10)
        if item == 1:
            second_done.set()
        return item * 10

    assert list(ordered_map(work, range(5), threads=2, ahead=2)) == [0, 10, 20, 30, 40]


def test_no_more_items_are_read_than_may_wait() -> None:
    read = []

    def items() -> Iterator[int]:
        for item in range(100):
            read.append(item)
            yield item

    results = ordered_map(abs, items(), threads=2, ahead=3)
    next(results)
    assert len(read) == 5
    results.close()  # type: ignore[attr-defined]


def test_an_error_of_the_work_ends_it_where_it_belongs() -> None:
    results = ordered_map(lambda item: 1 // item, [1, 1, 0, 1], threads=2, ahead=4)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_error_of_the_items_comes_through() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("no more")

    with pytest.raises(KeyError):
        list(ordered_map(abs, items(), threads=1, ahead=1))
