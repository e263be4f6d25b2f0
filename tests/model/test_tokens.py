"""Which tokens a text has, by their characters."""

import numpy as np
import pytest
from tokenizers import Tokenizer

from model.text import TextEncoder
from model.tokens import Marks, chinese_tokens, pieces_of_characters, share_of_tokens
from tests.conftest import make_checkpoint


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Its vocabulary was learned from English and a few Chinese characters."""
    return make_checkpoint().tokenizer


def share(tokenizer: Tokenizer, text: str, marks_V: Marks) -> float:
    (encoded,) = TextEncoder(tokenizer, max_tokens=32).encode([text])
    return float(share_of_tokens(marks_V, [encoded.ids])[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a good film", 0), ("xyzzy!", 0), ("电影", 0), ("很好看", 0), ("фильм", 1), ("ภาพ", 1), ("🫨", 1)],
)
def test_a_script_that_was_never_seen_comes_in_pieces(tokenizer: Tokenizer, text: str, expected: float) -> None:
    assert share(tokenizer, text, pieces_of_characters(tokenizer)) == expected


def test_a_mixed_text_is_unknown_in_part(tokenizer: Tokenizer) -> None:
    assert 0 < share(tokenizer, "a good фильм", pieces_of_characters(tokenizer)) < 1


@pytest.mark.parametrize(
    ("text", "expected"), [("a good film", 0), ("电影", 1), ("很好看的电影", 1), ("a 电", 0.5), ("😀", 0), ("", 0)]
)
def test_a_token_with_a_han_character_is_chinese(tokenizer: Tokenizer, text: str, expected: float) -> None:
    assert share(tokenizer, text, chinese_tokens(tokenizer)) == expected


def test_a_text_has_the_same_share_in_any_batch() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 9, length).astype(np.int32) for length in (5, 0, 1, 0, 7)]
    marks_V = rng.random(9) < 0.5
    expected = [float(marks_V[row].mean()) if len(row) else 0.0 for row in rows]
    assert share_of_tokens(marks_V, rows).tolist() == pytest.approx(expected)
