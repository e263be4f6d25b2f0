import json
import random

import pytest

from benchmarks.http import load
from benchmarks.lib.shipped import SHIPPED
from model.checkpoint import load_checkpoint
from model.text import TextEncoder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(load_checkpoint(SHIPPED).tokenizer, max_tokens=10_000)


@pytest.mark.parametrize("tokens", [16, 64, 1024])
def test_a_text_of_exactly_so_many_tokens(encoder: TextEncoder, tokens: int) -> None:
    assert encoder.encode([load.text_of(encoder, tokens, random.Random(0))])[0].num_tokens == tokens


def test_long_texts_are_sent_with_many_others(encoder: TextEncoder) -> None:
    requests, units = load.long_requests(encoder, 1024)
    assert {tokens: unit // tokens for tokens, unit in units.items()} == {16: 1024, 64: 1024, 256: 1024, 1024: 256}
    body = json.loads(requests[1024][0].partition(b"\r\n\r\n")[2])
    assert len(set(body["inputs"])) == 256


@pytest.mark.parametrize(
    ("least", "most", "step", "expected"),
    [(1, 1000, 10, [1, 10, 100, 1000]), (16, 16, 4, [16]), (1, 5000, 10, [1, 10, 100, 1000, 5000])],
)
def test_sizes_grow_by_steps_and_end_where_they_must(least: int, most: int, step: int, expected: list[int]) -> None:
    assert load.powers(least, most, step) == expected
