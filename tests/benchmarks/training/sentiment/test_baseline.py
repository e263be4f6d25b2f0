"""The linear model learns from the training split alone."""

from dataclasses import replace
from pathlib import Path

from benchmarks.training.sentiment.baseline import score_baseline
from benchmarks.training.sentiment.sets import read_set


def test_learns_the_words_that_tell_the_label(data: Path) -> None:
    train, validation = (read_set(data, "sst5", split) for split in ("train", "validation"))
    found = score_baseline(train, validation, validation)
    assert found.macro_f1 == found.accuracy == 1
    assert found.choice.startswith("C=")
    swapped = {"negative": "neutral", "neutral": "positive", "positive": "negative"}
    wrong = replace(train, labels=[(swapped[label],) for (label,) in train.labels])
    assert score_baseline(wrong, validation, validation).accuracy == 0
