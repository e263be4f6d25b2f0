import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from app.batching.policy import Packed, Padded
from app.batching.queue import BatchQueue
from app.core.job import Job, Piece
from model.text import Encoded


def item(*lengths: int, job: Any = None) -> Piece:
    job = job or SimpleNamespace(alive=True)
    texts = [Encoded(np.zeros(length, dtype=np.int32)) for length in lengths]
    return Piece.of(cast(Job, job), range(len(texts)), texts)


def test_queue_is_first_come_first_served_by_its_oldest() -> None:
    queue = BatchQueue(Padded(2, 100))
    items = [item(n) for n in (50, 1, 50, 1, 1)]
    queue.put(items)
    batches = [queue.take() for _ in range(3)]
    assert batches[0] == [items[0], items[2]] or batches[0] == [items[2], items[0]]
    assert {id(i) for i in batches[1]} < {id(items[k]) for k in (1, 3, 4)}
    assert sum(map(len, batches)) == 5


def test_where_padding_costs_nothing_the_oldest_go_first() -> None:
    queue = BatchQueue(Packed(3, 100))
    gone = item(9, job=SimpleNamespace(alive=False))
    items = [item(n) for n in (50, 1, 49, 1, 300, 1)]
    queue.put([*items[:1], gone, *items[1:]])
    assert [queue.take() for _ in range(4)] == [items[:3], items[3:4], items[4:5], items[5:]]


@pytest.mark.parametrize("policy", [Packed(3, 100), Padded(3, 100)])
def test_texts_of_one_request_are_divided_where_a_batch_ends(policy: Packed | Padded) -> None:
    queue = BatchQueue(policy)
    queue.put([item(5, 6), item(7, 8, 9), item(10)])
    batches = [queue.take() for _ in range(2)]
    assert [[list(piece.lengths) for piece in batch] for batch in batches] == [[[5, 6], [7]], [[8, 9], [10]]]
    assert [list(piece.indexes) for batch in batches for piece in batch] == [[0, 1], [0], [1, 2], [0]]
    assert queue.empty
    assert not queue.full


def test_texts_of_one_request_that_are_unlike_go_apart() -> None:
    queue = BatchQueue(Padded(2, 4000))
    queue.put([item(2000, 1, 1990)])
    assert [list(piece.indexes) for piece in queue.take()] == [[0, 2]]
    assert [list(piece.indexes) for piece in queue.take()] == [[1]]


def test_full_batch_is_cut_ahead_and_a_smaller_one_left_to_grow() -> None:
    queue = BatchQueue(Padded(2, 100))
    first, second, third = (item(1) for _ in range(3))
    queue.put([first])
    queue.cut_ahead()
    assert not queue._ahead
    queue.put([second])
    queue.cut_ahead()
    assert queue._ahead == [first, second]
    queue.put([third])
    assert queue.take() == [first, second]
    assert queue.take() == [third]


def test_dead_items_are_dropped_even_from_a_batch_cut_ahead() -> None:
    queue = BatchQueue(Padded(2, 100))
    dead = SimpleNamespace(alive=True)
    alive = [item(1), item(1)]
    queue.put([item(1, job=dead), item(1, job=dead), *alive])
    queue.cut_ahead()
    dead.alive = False
    assert queue.take() == alive


def test_take_waits_and_close_ends_the_wait() -> None:
    queue = BatchQueue(Padded(2, 100))
    taken: list[list[Piece]] = []
    thread = threading.Thread(target=lambda: taken.extend(iter(queue.take, [])))
    thread.start()
    one = item(3)
    queue.put([one])
    while not taken:
        pass
    queue.close()
    thread.join(2)
    assert taken == [[one]]
    queue.put([item(1)])
    assert queue.take() == []


@pytest.mark.parametrize("num_tokens", [0, 1])
def test_even_an_empty_text_costs_a_row(num_tokens: int) -> None:
    assert item(num_tokens).lengths == [1]
