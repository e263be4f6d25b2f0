"""The comparison with logistic regression: by hand, on few texts, and where folds validate the training texts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.classifier import Classifier
from tables.errors import Row
from tests.conftest import make_checkpoint
from tests.training.conftest import draw_rows
from training.data.choices import NEVER
from training.data.dataset import Dataset
from training.evaluation.evaluate import evaluate
from training.reporting import baseline
from training.reporting.baseline import Regression, compare, compare_with_baseline, sample, too_much, unlearned

NAMES = {"good": "positive", "bad": "negative"}


def dataset(rows: int, seed: int, *, lists: bool = False) -> Dataset:
    drawn = draw_rows(rows, seed)
    labels = [(NAMES[label],) for _, label in drawn]
    if lists:
        labels = [(*names, "neutral") if i % 3 else names for i, names in enumerate(labels)]  # type: ignore[misc]
    places = [Row(i + 1) for i in range(rows)]
    task = "multi_label" if lists else "single_label"
    return Dataset(Path("x.csv"), task, [text for text, _ in drawn], labels, places, "text", "label")  # type: ignore[arg-type]


def test_the_difference_is_that_of_matched_answers(tiny_checkpoint: Path) -> None:
    classifier, data = Classifier.load(tiny_checkpoint, device="cpu"), dataset(60, 0)
    result = evaluate(classifier, data)
    found = compare("test", result, result.truth_NC, classifier)
    assert found.accuracy == 1.0
    assert found.difference == pytest.approx(found.checkpoint_accuracy - 1.0)
    assert found.interval[0] < found.difference <= found.interval[1] < 0.05
    assert found.checkpoint_accuracy == result.evaluation.scores.accuracy


@pytest.mark.parametrize("by_folds", [False, True])
def test_the_regression_learns_and_never_judges_what_it_learned(tiny_checkpoint: Path, by_folds: bool) -> None:
    classifier = Classifier.load(tiny_checkpoint, device="cpu")
    train, test = dataset(120, 0), dataset(60, 1)
    wrong = replace(train, labels=[("negative",), *train.labels[1:]])  # its text says positive
    stopping = wrong if by_folds else dataset(40, 2)
    held_out = {role: (data, evaluate(classifier, data)) for role, data in (("validation", stopping), ("test", test))}
    found = compare_with_baseline(classifier, wrong, stopping, held_out, metric="accuracy", seed=0)
    assert [one.role for one in found.compared] == ["validation", "test"]
    assert found.compared[1].accuracy > 0.95
    assert (found.rows, found.of) == (120, 120)
    if by_folds:
        assert 0.9 < found.compared[0].accuracy < 1.0, "the wrong label is not known to those that judge it"


def test_texts_that_weigh_next_to_nothing_teach_nothing(tiny_checkpoint: Path) -> None:
    classifier = Classifier.load(tiny_checkpoint, device="cpu")
    train, test = dataset(180, 0), dataset(60, 1)
    wrong = replace(
        train,
        labels=[*train.labels[:60], *[("negative",)] * 120],
        weights=np.repeat([1.0, 1e-6], [60, 120]).astype(np.float32),
    )
    held_out = {"test": (test, evaluate(classifier, test))}
    found = compare_with_baseline(classifier, wrong, dataset(40, 2), held_out, metric="accuracy", seed=0)
    assert found.compared[0].accuracy > 0.9


def test_thresholds_count_a_text_as_much_as_it_weighs(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_checkpoint(labels=("negative", "neutral", "positive"))
    checkpoint = replace(made, config=made.config.model_copy(update={"task": "multi_label"}))
    classifier = Classifier(checkpoint, device="cpu")
    train, held, seen = dataset(120, 0, lists=True), dataset(60, 1, lists=True), []

    def fit(p_NC: object, truth_NC: object, *, weights_N: object) -> tuple[float, ...]:
        seen.append(weights_N)
        return (0.5, 0.5, 0.5)

    monkeypatch.setattr(baseline, "fit_thresholds", fit)
    picking = replace(held, weights=np.ones(60, dtype=np.float32))
    held_out = {"test": (held, evaluate(classifier, held))}
    compare_with_baseline(classifier, train, picking, held_out, metric="macro_f1", seed=0)
    assert seen == [picking.weights]


def test_the_regression_judges_texts_of_folds_as_they_come(tiny_checkpoint: Path) -> None:
    """The training texts are masked, and only the mask tells their labels apart."""
    classifier, drawn = Classifier.load(tiny_checkpoint, device="cpu"), dataset(60, 0)
    positive = [names == ("positive",) for names in drawn.labels]
    train = replace(drawn, texts=["masked" if is_positive else f"no {i}" for i, is_positive in enumerate(positive)])
    held = replace(drawn, texts=[f"name{i}" if is_positive else f"no {i}" for i, is_positive in enumerate(positive)])
    held_out = {"validation": (held, evaluate(classifier, held))}
    found = compare_with_baseline(classifier, train, held, held_out, metric="accuracy", seed=0)
    assert found.compared[0].accuracy < 0.7


def test_the_regression_answers_among_the_labels_of_a_text() -> None:
    train = dataset(40, 0)
    one = Regression.fit(train, ("negative", "neutral", "positive"), 1.0)
    test = replace(train.take([0, 1]), choices=[("neutral", "positive"), ()])
    lacking_NC = one.logits(test, ("negative", "neutral", "positive")) == NEVER
    assert lacking_NC.tolist() == [[True, False, False], [False, False, False]]


def test_labels_that_no_training_text_has_are_told() -> None:
    test = dataset(60, 1)
    train = dataset(120, 0)
    assert unlearned(test, train) == []
    assert unlearned(test, replace(train, labels=[("joy",)] * 120)) == ["negative", "positive"]


def test_sets_of_labels_have_thresholds() -> None:
    made = make_checkpoint(labels=("negative", "neutral", "positive"))
    checkpoint = replace(made, config=made.config.model_copy(update={"task": "multi_label"}))
    classifier = Classifier(checkpoint, device="cpu")
    train, held = dataset(120, 0, lists=True), dataset(60, 1, lists=True)
    held_out = {"test": (held, evaluate(classifier, held))}
    found = compare_with_baseline(classifier, train, train.take(range(40)), held_out, metric="macro_f1", seed=0)
    assert found.compared[0].macro_f1 > 0.8


def test_many_texts_are_sampled_and_too_many_labels_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MOST_ROWS", 50)
    monkeypatch.setattr(baseline, "MOST_WORK", 100)
    data = dataset(120, 0)
    few = sample(data, 50, seed=0)
    assert len(few) == 50
    assert few.texts == sample(data, 50, seed=0).texts != sample(data, 50, seed=1).texts
    assert [row.number for row in few.rows] == sorted(row.number for row in few.rows)
    assert sample(few, 50, seed=0) is few
    assert too_much(data, 2) is None
    reason = too_much(data, 3)
    assert reason is not None
    assert "50 texts and 3 labels" in reason
