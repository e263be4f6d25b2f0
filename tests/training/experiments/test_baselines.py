"""The linear baselines: their arithmetic by hand, what they choose, and every kind of labels."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from tests.training.conftest import WORDS
from training.config.request import CallOptions
from training.data.corpus import read_corpus
from training.data.dataset import mostly_chinese, truth_of
from training.experiments.baselines import LinearModel, _choose, fit_nbsvm, fit_tfidf, interpolate
from training.experiments.contender import FitContext
from training.linear.nbsvm import log_count_ratios
from training.metrics.decisions import decide
from training.metrics.scores import accuracy

BOTH = pytest.mark.parametrize("fit", [fit_tfidf, fit_nbsvm])


def make_setting(folder: Path, train: Path, *settings: str, budget_s: float | None = None) -> FitContext:
    request = CallOptions(output=folder / "o", data_root=folder, train_file=train, settings=settings).request()
    corpus = read_corpus(request.config.data, seed=0, data_root=folder)
    return FitContext(
        request=request,
        corpus=corpus,
        device="cpu",
        budget_s=budget_s,
        scratch=folder,
        console=Console(file=io.StringIO()),
    )


def _write(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return path


def test_an_n_gram_that_no_text_holds_counts_for_nothing() -> None:
    counts = csr_matrix(np.array([[1.0, 0.5], [0.0, 1.0], [1.0, 0.0]]))
    labels = np.array([True, True, False])
    padded = csr_matrix(hstack([counts, csr_matrix((3, 5))]))
    np.testing.assert_allclose(log_count_ratios(padded, labels), [*log_count_ratios(counts, labels), 0, 0, 0, 0, 0])
    assert log_count_ratios(counts, labels)[1] > 0


def test_log_count_ratios_by_hand() -> None:
    counts = csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1]], dtype=np.float32))
    ratios = log_count_ratios(counts, np.array([True, True, False]))
    p, q = np.array([3.0, 2.0, 1.0]) / 6, np.array([2.0, 1.0, 2.0]) / 5
    assert ratios.tolist() == pytest.approx(np.log(p / q).tolist())


def test_interpolation_keeps_the_mean_magnitude() -> None:
    weights = np.array([2.0, -1.0, 3.0])
    assert interpolate(weights, 1.0).tolist() == weights.tolist()
    assert interpolate(weights, 0.0).tolist() == [2.0, 2.0, 2.0]


@BOTH
def test_learns_which_words_tell(fit: Any, reviews: Path, tmp_path: Path) -> None:
    context = make_setting(tmp_path, reviews / "train.csv")
    model = fit(context, 0)
    logits = model.logits(["a superb film", "an awful film"])
    assert logits.argmax(1).tolist() == [context.corpus.labels.index(name) for name in ("good", "bad")]
    np.testing.assert_allclose(logits.sum(1), 0, atol=1e-9)
    assert model.choice.startswith("C=")
    words = sum(len(word.encode()) + 1 for word in model.vectorizer.get_feature_names_out())
    assert model.size_bytes >= words + 4 * 2 * len(model.vectorizer.vocabulary_)


def test_logistic_regression_is_that_of_scikit_learn(reviews: Path, tmp_path: Path) -> None:
    context = make_setting(tmp_path, reviews / "train.csv")
    model = fit_tfidf(context, 0)
    strength = float(model.choice.removeprefix("C="))
    theirs = LogisticRegression(C=strength, solver="liblinear", random_state=0)
    vectors = model.vectorizer.transform(context.corpus.train.texts)
    theirs.fit(vectors, truth_of(context.corpus.train, context.corpus.labels)[:, 1])
    logits = model.logits(context.corpus.validation.texts)
    wanted = theirs.decision_function(model.vectorizer.transform(context.corpus.validation.texts))
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], wanted, rtol=1e-5)


@BOTH
def test_three_labels(fit: Any, tmp_path: Path) -> None:
    words = {"a": "apple", "b": "bread", "c": "cream"}
    rows = [(f"{words['abc'[i % 3]]} or so no{i}", "abc"[i % 3]) for i in range(90)]
    context = make_setting(tmp_path, _write(tmp_path / "three.tsv", rows))
    assert fit(context, 0).logits(["some bread", "the cream", "apple"]).argmax(1).tolist() == [1, 2, 0]


@BOTH
def test_sets_of_labels_even_one_that_every_text_has(fit: Any, reviews: Path, tmp_path: Path) -> None:
    context = make_setting(tmp_path, reviews / "lists.jsonl", "data.validation_fraction=0.3")
    corpus = context.corpus
    model = fit(context, 0)
    chosen = decide(model.logits(corpus.validation.texts), task="multi_label", thresholds_C=0.0)
    truth = truth_of(corpus.validation, corpus.labels)
    for label in ("good", "bad"):
        place = corpus.labels.index(label)
        assert (chosen[:, place] == truth[:, place]).mean() > 0.9

    always = (tmp_path / "always.jsonl").open("w", encoding="utf-8")
    with always:
        for i in range(40):
            kind = "xy"[i % 2]
            always.write(f'{{"text": "{kind * 3} word no{i}", "label": ["{kind}", "all"]}}\n')
    context = make_setting(tmp_path, tmp_path / "always.jsonl")
    chosen = decide(fit(context, 0).logits(["xxx word", "yyy"]), task="multi_label", thresholds_C=0.0)
    names = [[name for name, given in zip(context.corpus.labels, row, strict=True) if given] for row in chosen]
    assert names == [["all", "x"], ["all", "y"]]


@BOTH
@pytest.mark.parametrize("labels", ["ab", "abc"])
def test_texts_that_weigh_next_to_nothing_teach_nothing(fit: Any, labels: str, tmp_path: Path) -> None:
    words = {"a": "apple", "b": "bread", "c": "cream"}
    rows = [f"{words[label]} or so no{i},{label},1" for i in range(30) for label in labels]
    rows += [f"{words['a']} all the same no{i},b,0.0001" for i in range(60)]
    (tmp_path / "w.csv").write_text("\n".join(["text,label,weight", *rows]), encoding="utf-8")
    for column, answer in (("data.weight_column=weight", 0), ("data.text_column=text", 1)):
        context = make_setting(tmp_path, tmp_path / "w.csv", column)
        chooses = context.corpus.train.take(range(40))  # of the first rows, which are right
        model = fit(replace(context, corpus=replace(context.corpus, stopping=chooses)), 0)
        assert model.logits(["some apple all the same"]).argmax() == answer


@BOTH
def test_chinese_is_read_by_characters(fit: Any, tmp_path: Path) -> None:
    rows = [(("很好看的电影" if i % 2 else "太难看的电影") + f"第{i}部", "ab"[i % 2]) for i in range(60)]
    context = make_setting(tmp_path, _write(tmp_path / "zh.tsv", rows))
    model = fit(context, 0)
    assert model.logits(["真的很好", "太难了"]).argmax(1).tolist() == [1, 0]
    assert "很好" in model.vectorizer.vocabulary_


@BOTH
def test_the_budget_bounds_how_much_is_tried(fit: Any, reviews: Path, tmp_path: Path) -> None:
    model = fit(make_setting(tmp_path, reviews / "train.csv", budget_s=1e-9), 0)
    assert model.choice.partition(",")[0] in ("C=0.1", "C=0.001")


def test_validation_chooses_the_strength(reviews: Path, tmp_path: Path) -> None:
    """With every training label wrong in half of the cases only the chosen strength differs."""
    context = make_setting(tmp_path, reviews / "train.csv")
    chosen, first = fit_tfidf(context, 0), fit_tfidf(make_setting(tmp_path, reviews / "train.csv", budget_s=1e-9), 0)
    truth = truth_of(context.corpus.stopping, context.corpus.labels)

    def value(model: Any) -> float:
        return accuracy(truth, decide(model.logits(context.corpus.stopping.texts), task="single_label"))

    assert value(chosen) >= value(first)


def test_text_without_letters_is_not_chinese() -> None:
    assert not mostly_chinese(["123 !?", ""])


class WhichWord:
    """Counts of one n-gram: of a text that says something good."""

    def transform(self, texts: list[str]) -> csr_matrix:
        return csr_matrix([[float(any(word in text for word in WORDS["good"]))] for text in texts])


def test_a_model_is_chosen_by_its_answers_among_the_labels_of_a_set(mixture: Path, tmp_path: Path) -> None:
    """Both find neutral more likely than all else, and one knows good from bad."""
    context = make_setting(tmp_path, mixture, "data.source_column=source")
    bias_C = np.array([0.0, 0.0, 9.0, 0.0])
    wrong, right = (
        LinearModel(WhichWord(), np.array([[-sign], [sign], [0.0], [0.0]]), bias_C, str(sign)) for sign in (-1.0, 1.0)
    )
    assert _choose(iter([wrong, right]), context) is right
