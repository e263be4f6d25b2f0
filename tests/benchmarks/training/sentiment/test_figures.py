"""One pass gives the figures that `evaluate` gives in two."""

from pathlib import Path

import pytest

from benchmarks.training.sentiment.figures import Reading, measure_sets, read_both, was_taught
from benchmarks.training.sentiment.sets import THREE_LABELS, TWEETS, TWO_LABELS, read_set
from model.classifier import Classifier
from training.data.choices import with_choices
from training.evaluation.evaluate import evaluate


def test_one_pass_has_the_figures_of_two_evaluations(data: Path, classifier: Classifier) -> None:
    dataset = read_set(data, "sst5", "validation")
    two, three, neutral = read_both(classifier, dataset)
    polar = with_choices(dataset.take([i for i, names in enumerate(dataset.labels) if names != ("neutral",)]))
    own = Reading.of(evaluate(classifier, polar).evaluation.scores)
    assert (two.rows, two.accuracy, two.macro_f1) == (own.rows, own.accuracy, own.macro_f1)
    assert (two.ece, two.ece_by_chance) == pytest.approx((own.ece, own.ece_by_chance), abs=1e-6)
    assert two.rows == 30
    result = evaluate(classifier, dataset)
    assert three == Reading.of(result.evaluation.scores)
    assert neutral == (result.probabilities_NC.argmax(axis=1) == 1).mean()


def test_a_checkpoint_of_two_labels_is_judged_without_neutral_texts(data: Path, tiny_checkpoint: Path) -> None:
    classifier = Classifier.load(tiny_checkpoint, device="cpu")
    two, three, neutral = read_both(classifier, read_set(data, "sst5", "validation"))
    assert (two.rows, three, neutral) == (30, None, None)


def test_sets_without_the_split_are_named(data: Path, classifier: Classifier) -> None:
    watched: list[str] = []
    found, absent = measure_sets(
        classifier, data, "validation", taught=frozenset({"cr"}), baseline=None, watch=watched.append
    )
    assert list(found) == ["cr", "sst5"]
    assert set(absent) == {*TWO_LABELS, *THREE_LABELS, *TWEETS} - {"cr", "sst5"}
    assert (found["cr"].taught, found["sst5"].taught) == (True, False)
    assert watched[0].startswith("cr: 60 texts")


def test_only_sets_that_may_teach_nothing_are_unseen_if_nobody_says() -> None:
    assert was_taught("emotion", frozenset()) is False
    assert was_taught("cr", frozenset()) is None
    assert was_taught("emotion", frozenset({"emotion"})) is True
