"""Emoticons go, and with them posts that say nothing else."""

import pytest

from training.data.emoticons import without_emoticons


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("出太阳了 [太阳]  真好[赞][赞]", "出太阳了 真好"),
        ("[a very long remark] stays here", "[a very long remark] stays here"),
        ("[泪]", ""),
        ("@somebody 好[赞]", ""),
        ("abcd", "abcd"),
        ("12345", ""),
    ],
)
def test_what_is_left_of_a_post(text: str, expected: str) -> None:
    assert without_emoticons(text) == expected
