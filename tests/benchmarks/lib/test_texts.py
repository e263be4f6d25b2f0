import random
from pathlib import Path

from benchmarks.lib.texts import of_any_kind, read_texts


def test_texts_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\nthree\nfour\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("body\none\ntwo\n", encoding="utf-8")
    assert read_texts(tmp_path / "a.txt") == ["one", "two", "three", "four"]
    assert read_texts(tmp_path / "a.txt", count=2) == ["one", "three"]
    assert read_texts(tmp_path / "a.csv", column="body") == ["one", "two"]


def test_texts_of_any_kind_are_of_any_length() -> None:
    texts = [of_any_kind(random.Random(seed), 5000) for seed in range(500)]
    lengths = [len(text) for text in texts]
    assert 1 <= min(lengths) < 5
    assert 4000 < max(lengths) <= 5000
    assert {text.isascii() for text in texts} == {True, False}
