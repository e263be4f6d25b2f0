import numpy as np

from tests.training.inspection.conftest import Rows
from training.inspection.near_duplicates import near_duplicates


def _pairs(texts: list[str]) -> list[tuple[int, int]]:
    later, earlier = near_duplicates(texts, np.arange(len(texts)))
    return list(zip(later.tolist(), earlier.tolist(), strict=True))


def test_a_text_with_a_word_more_is_found(clean: Rows) -> None:
    texts = [text for text, _ in clean]
    assert _pairs([*texts, f"{texts[3]} indeed", f"So {texts[8]}"]) == [(200, 3), (201, 8)]


def test_different_and_short_texts_are_not_found(clean: Rows) -> None:
    texts = [text for text, _ in clean]
    half = " ".join(texts[0].split()[:5] + texts[1].split()[5:])
    assert _pairs([*texts, half, "a very good film", "a very good movie"]) == []
    assert _pairs([]) == _pairs(["short"]) == []


def test_chinese_is_compared_by_characters() -> None:
    text = "酒店位置很好，离地铁站很近，房间干净，服务员也很热情，下次还会来住"
    assert _pairs([text, "完全不同的一句话，说的是另外一件事情，没有什么关系", text.replace("下次", "下回")]) == [
        (2, 0)
    ]


def test_only_the_chosen_texts_are_compared(clean: Rows) -> None:
    texts = [clean[0][0], clean[0][0], f"{clean[0][0]} indeed"]
    later, earlier = near_duplicates(texts, np.array([1, 2]))
    assert (later.tolist(), earlier.tolist()) == ([2], [1])
