from pathlib import Path

import pytest

from benchmarks.training.overlap import Overlap, find_overlap, main

SENTENCE = "A film that is never boring, and which I would see again"


def overlap(exact: set[int], contained: set[int]) -> Overlap:
    return Overlap(frozenset(exact), frozenset(contained))


def test_exact_is_by_letters_alone_and_contained_only_when_long() -> None:
    tests = ["It's GOOD!", SENTENCE, "good", "其他的文字", "这家酒店的服务真的非常好"]
    training = ["its good", f"They said: {SENTENCE.lower()}!!!", "真的，这家酒店的服务真的非常好。谢谢"]
    found = find_overlap(tests, training)
    assert found == overlap({0}, {1, 4})
    assert find_overlap(tests, training, min_bytes=4).contained == {1, 2, 4}


def test_an_exact_text_is_not_also_contained_and_each_repetition_counts() -> None:
    found = find_overlap([SENTENCE, SENTENCE.upper()], [SENTENCE, SENTENCE + " and again"])
    assert found == overlap({0, 1}, set())


def test_empty_texts_are_in_nothing() -> None:
    assert find_overlap(["", " "], ["", "a"]) == overlap(set(), set())


def test_two_tests_that_begin_alike_are_told_apart() -> None:
    found = find_overlap([SENTENCE + " today", SENTENCE + " tomorrow"], ["x " + SENTENCE + " tomorrow y"])
    assert found == overlap(set(), {1})


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, texts in {"test": ["one", "two"], "clean": ["three"], "train": ["zero", "Two!"]}.items():
        (tmp_path / f"{name}.csv").write_text("body\n" + "\n".join(texts) + "\n", encoding="utf-8")
    train = ["--against", str(tmp_path / "train.csv"), "--text-column", "body"]
    assert main([str(tmp_path / "test.csv"), str(tmp_path / "clean.csv"), *train]) == 1
    printed = capsys.readouterr().out
    assert "2 training texts" in printed
    assert "test.csv: 2 texts, 1 exact, 0 contained\n    exact: two\n" in printed
    assert "clean.csv: 1 texts, 0 exact, 0 contained\n" in printed
    assert main([str(tmp_path / "clean.csv"), *train]) == 0
    assert main([str(tmp_path / "none.csv"), *train]) == 2
    assert "none.csv" in capsys.readouterr().err


def test_called_without_arguments_it_only_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "--against" in capsys.readouterr().out
