from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.classifier import Classifier
from model.config import Task
from tables.errors import Row
from tables.labels import Names
from tests.conftest import make_checkpoint
from training.data.dataset import Dataset
from training.errors import DataError
from training.evaluation.evaluate import evaluate, logits_of, read_judged, worst_mistakes

TEXTS = ["a good film", "难看的电影", "", "a bad film " * 30, "10/10 😀"]


@pytest.fixture(scope="module")
def classifier(tiny_checkpoint: Path) -> Classifier:
    return Classifier.load(tiny_checkpoint, device="cpu")


def dataset(labels: Sequence[Names]) -> Dataset:
    task: Task = "single_label" if all(len(names) == 1 for names in labels) else "multi_label"
    return Dataset(Path("x.csv"), task, TEXTS, list(labels), [Row(i + 1) for i in range(len(TEXTS))], "text", "label")


def test_scores_are_those_of_each_text_alone(classifier: Classifier) -> None:
    result = evaluate(classifier, dataset([("positive",), ("negative",), ("negative",), ("positive",), ("positive",)]))
    alone_NC = np.concatenate([classifier.predict([text]) for text in TEXTS])
    np.testing.assert_allclose(result.probabilities_NC, alone_NC, atol=1e-5)
    right = (alone_NC.argmax(axis=1) == [1, 0, 0, 1, 1]).mean()
    assert result.evaluation.scores.accuracy == pytest.approx(right)
    assert result.evaluation.truncated == 1
    assert result.evaluation.tokens == sum(text.num_tokens for text in classifier.encode(TEXTS))


def test_logits_keep_the_order_of_the_texts(classifier: Classifier) -> None:
    encoded = classifier.encode(TEXTS)
    alone_NC = np.concatenate([classifier.raw_logits([text]) for text in encoded])
    np.testing.assert_allclose(logits_of(classifier, encoded), alone_NC, atol=1e-4)


def test_worst_mistakes_come_first_and_name_their_rows(classifier: Classifier) -> None:
    p_NC = classifier.predict(TEXTS)
    wrong = [(classifier.labels[int(p_C.argmin())],) for p_C in p_NC]
    for i in (1, 2):
        wrong[i] = (classifier.labels[int(p_NC[i].argmax())],)
    data = dataset(wrong)
    mistakes = worst_mistakes(evaluate(classifier, data), data, classifier, 10)
    assert [mistake.row.number for mistake in mistakes] == [
        i + 1 for i in np.argsort(p_NC.min(axis=1)) if i not in (1, 2)
    ]
    assert mistakes[0].loss == pytest.approx(-np.log(np.delete(p_NC, [1, 2], axis=0).min()), rel=1e-4)
    assert mistakes[0].truth != mistakes[0].predicted
    assert len(worst_mistakes(evaluate(classifier, data), data, classifier, 2)) == 2


def test_a_separator_that_is_not_found_can_be_named(tmp_path: Path) -> None:
    made = make_checkpoint(labels=("a", "b", "c,d"))
    classifier = Classifier(replace(made, config=made.config.model_copy(update={"task": "multi_label"})), device="cpu")
    path = tmp_path / "many.csv"
    path.write_text('text,label\none film,a~b\nno film,"c,d"\n')
    assert read_judged(path, classifier, label_separator="~").labels == [("a", "b"), ("c,d",)]
    for separator in (None, "none"):
        with pytest.raises(DataError, match="label 'a~b' is unknown"):
            read_judged(path, classifier, label_separator=separator)


def test_unknown_labels_and_lists_are_refused(classifier: Classifier) -> None:
    with pytest.raises(DataError, match=r"row 2.*label 'neutral' is unknown"):
        evaluate(classifier, dataset([("positive",), ("neutral",), ("negative",), ("positive",), ("positive",)]))
    with pytest.raises(DataError, match="has lists of labels"):
        evaluate(classifier, dataset([("positive", "negative"), (), (), (), ()]))
