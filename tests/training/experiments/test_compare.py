"""The comparison as a person calls it: same splits, one reading of the test texts, results kept after each fit."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from tests.training.conftest import TINY, WORDS
from tests.training.experiments.test_baselines import make_setting
from training.__main__ import main
from training.data.config import DataConfig
from training.data.corpus import read_corpus
from training.errors import UsageError
from training.experiments import compare as compare_module
from training.experiments.baselines import TFIDF
from training.experiments.compare import CONTENDERS, RESULTS, TABLE, measure_outcome, select_methods
from training.experiments.comparison import COLUMNS, Comparison, by_method
from training.experiments.contender import Contender, FitContext, Floats, Unavailable
from training.experiments.plots import AXES


def run(*arguments: object, expect: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "TIMED_S", 1e-3)


@pytest.fixture
def call(reviews: Path, tmp_path: Path) -> list[str | Path]:
    output = tmp_path / "out"
    files: list[str | Path] = ["--data-root", reviews, "--train", reviews / "train.csv", "--test", reviews / "test.csv"]
    return ["compare", *files, *TINY, "--output", output, "--device", "cpu"]


def test_a_table_with_everything(call: list[str | Path], tmp_path: Path) -> None:
    run(*call, "--only", "average", "--seeds", "0,1")
    output = run(*call, "--only", "average,nbsvm", "--seeds", "0,1", "--resume")
    comparison = Comparison.read(tmp_path / "out" / RESULTS)
    assert [(o.method, o.seed) for o in comparison.outcomes] == [("nbsvm", None), ("average", 0), ("average", 1)]
    rows = by_method(comparison)
    assert [len(row.outcomes) for row in rows] == [1, 2]
    accuracies = [o.test.accuracy for o in comparison.outcomes[1:] if o.test]
    assert rows[1].accuracy.mean == pytest.approx(np.mean(accuracies))
    assert rows[1].accuracy.spread == pytest.approx(np.std(accuracies, ddof=1))
    assert rows[0].accuracy.spread is None
    for outcome in comparison.outcomes:
        assert outcome.test is not None
        assert outcome.test.accuracy > 0.8
        assert outcome.test.rows == 60
        assert outcome.validation.rows == 12
        assert outcome.seconds > 0
        assert outcome.size_bytes > 0
        assert outcome.texts_per_s > 0
    table = (tmp_path / "out" / TABLE).read_text(encoding="utf-8")
    assert "python -m training compare --train train.csv --test test.csv" in table
    assert "--only average,nbsvm --seeds 0,1" in table
    assert "| averaged embeddings | 2 |" in table
    assert str(tmp_path) not in table
    assert "averaged embeddings" in output
    assert all(heading in output for heading in COLUMNS)
    for name in AXES:
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".png", ".json", ".md"}


class Counting:
    """A method that answers at random and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.size_bytes, self.choice = 1, "nothing"

    def logits(self, texts: Sequence[str]) -> Floats:
        self.asked.append(list(texts))
        drawn: Floats = np.random.default_rng(0).normal(size=(len(texts), 2))
        return drawn


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """One method, and no plots, which take a second."""
    method = Counting()
    monkeypatch.setattr(compare_module, "draw_plots", lambda rows, folder: [])
    entry = Contender("count", "counting", lambda context, seed: method, seeded=True)
    monkeypatch.setattr(compare_module, "CONTENDERS", {"count": entry})
    return method


def test_the_test_texts_are_read_once_a_fit(call: list[str | Path], counting: Counting) -> None:
    run(*call, "--seeds", "4,5,4")
    assert sum(len(texts) == 60 for texts in counting.asked) == 2


def test_folds_are_left_out_and_told_of(call: list[str | Path], counting: Counting, tmp_path: Path) -> None:
    output = run(*call, "--seeds", "0", "--set", "data.folds=5")
    assert "without folds: data.folds=5 is for train alone; 10% of the training texts are held out" in output
    comparison = Comparison.read(tmp_path / "out" / RESULTS)
    assert [comparison.data[role].rows for role in ("train", "validation")] == [108, 12]
    assert comparison.config["data.folds"] == 0
    assert counting.asked


class Misled:
    """A method that knows good from bad, and finds neutral more likely than either."""

    size_bytes, choice = 1, ""

    def logits(self, texts: Sequence[str]) -> Floats:
        good = [any(word in text for word in WORDS["good"]) for text in texts]
        return np.array([[1.0 - one, 1.0 * one, 9.0, 0.0] for one in good])


def test_a_text_is_judged_among_the_labels_of_its_set(mixture: Path, reviews: Path) -> None:
    data = DataConfig(train=str(mixture), test=str(reviews / "test.csv"), source_column="source")
    corpus = read_corpus(data, seed=0, data_root=reviews)
    assert corpus.labels == ("bad", "good", "neutral", "plain")
    outcome = measure_outcome(TFIDF, Misled(), corpus, seed=None, seconds=1.0)
    assert outcome.test is not None
    assert outcome.test.accuracy == 1.0
    assert outcome.validation.accuracy == 0.75, "of the other set it is right where the text is neutral"


def test_without_a_test_file_it_says_so(call: list[str | Path], counting: Counting, tmp_path: Path) -> None:
    place = call.index("--test")
    run(*call[:place], *call[place + 2 :], "--seeds", "0")
    assert counting.asked
    assert Comparison.read(tmp_path / "out" / RESULTS).outcomes[0].test is None
    assert "there is no test file" in (tmp_path / "out" / TABLE).read_text(encoding="utf-8")


@pytest.mark.parametrize("weighs", [False, True])
def test_a_method_that_cannot_use_weights_is_named(
    reviews: Path, counting: Counting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weighs: bool
) -> None:
    assert [name for name, entry in CONTENDERS.items() if not entry.weighs] == ["fasttext"]
    entry = Contender("count", "counting", lambda context, seed: counting, seeded=False, weighs=weighs)
    monkeypatch.setattr(compare_module, "CONTENDERS", {"count": entry})
    rows = (reviews / "train.csv").read_text(encoding="utf-8").splitlines()
    weighed = [f"{row},{number % 2 + 1 if number else 'weight'}" for number, row in enumerate(rows)]
    (tmp_path / "w.csv").write_text("\n".join(weighed), encoding="utf-8")
    options = ["--weight-column", "weight", "--output", tmp_path / "out"]
    told = "counting learned without the weights of texts, which it cannot use." in run(
        "compare", "--train", tmp_path / "w.csv", *options
    ).replace("\n", " ")
    assert told != weighs


class Guessing:
    """A method that sees the words of good reviews, and guesses besides."""

    size_bytes, choice = 1, "nothing"

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = labels

    def logits(self, texts: Sequence[str]) -> Floats:
        guess_NC = np.array([np.random.default_rng(len(text)).normal(size=len(self.labels)) for text in texts])
        guess_NC[:, self.labels.index("good")] += [0.5 * any(word in text for word in WORDS["good"]) for text in texts]
        return guess_NC


def test_calibration_counts_a_text_as_much_as_it_weighs(reviews: Path, tmp_path: Path) -> None:
    corpus = make_setting(tmp_path, reviews / "lists.jsonl", "data.validation_fraction=0.5").corpus
    calibration, times_N = corpus.calibration, np.repeat([5, 1], [20, len(corpus.calibration) - 20])
    weighed = replace(calibration, weights=times_N.astype(np.float32))
    repeated = calibration.take(np.repeat(np.arange(len(times_N)), times_N).tolist())
    guessing = Guessing(corpus.labels)
    method = Contender("guess", "guessing", lambda context, seed: guessing, seeded=False)
    found, expected, alike = (
        measure_outcome(method, guessing, replace(corpus, calibration=part), seed=None, seconds=1.0)
        for part in (weighed, repeated, calibration)
    )
    assert found.temperature == pytest.approx(expected.temperature)
    assert found.temperature != alike.temperature
    assert found.validation.macro_f1 == expected.validation.macro_f1
    assert found.validation.macro_f1 != alike.validation.macro_f1, "thresholds differ too"


def test_sets_of_labels(reviews: Path, tmp_path: Path) -> None:
    files = ["--train", reviews / "lists.jsonl", "--test", reviews / "lists.jsonl"]
    run("compare", *files, "--only", "tfidf", "--output", tmp_path / "out")
    (outcome,) = Comparison.read(tmp_path / "out" / RESULTS).outcomes
    assert outcome.test is not None
    assert outcome.test.confusion is None
    assert outcome.test.macro_f1 > 0.8
    assert "Mind: 108 of 120 test texts are also in the training set" in (tmp_path / "out" / TABLE).read_text("utf-8")


def test_an_interrupted_comparison_goes_on(
    call: list[str | Path], counting: Counting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fits: list[int] = []

    def fit(context: FitContext, seed: int) -> Counting:
        fits.append(seed)
        if fits == [0, 1]:
            raise KeyboardInterrupt
        return counting

    entry = Contender("count", "counting", fit, seeded=True)
    monkeypatch.setattr(compare_module, "CONTENDERS", {"count": entry})
    run(*call, "--seeds", "0,1", expect=130)
    assert [path.name for path in (tmp_path / "out").glob(".*")] == []
    before = Comparison.read(tmp_path / "out" / RESULTS)
    assert [o.seed for o in before.outcomes] == [0]
    assert "exists; --resume goes on" in run(*call, expect=2)
    assert "contradict" in run(*call, "--resume", "--overwrite", expect=2)
    assert "other config" in run(*call, "--resume", "--set", "loop.epochs=6", expect=2)
    assert "other budget_s" in run(*call, "--resume", "--budget-s", "5", expect=2)
    run(*call, "--seeds", "0,1", "--resume")
    assert fits == [0, 1, 1]
    after = Comparison.read(tmp_path / "out" / RESULTS)
    assert after.outcomes[0] == before.outcomes[0]
    assert after.created == before.created
    assert after.command == before.command
    run(*call, "--seeds", "2", "--resume")
    assert [
        line.partition("--seeds ")[2] for line in Comparison.read(tmp_path / "out" / RESULTS).command.splitlines()
    ] == [
        "0,1",
        "2",
    ]
    run(*call, "--seeds", "2", "--overwrite")
    assert [o.seed for o in Comparison.read(tmp_path / "out" / RESULTS).outcomes] == [2]


def test_a_method_that_cannot_take_part_is_named_and_the_others_go_on(
    call: list[str | Path], counting: Counting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tries: list[int] = []

    def missing(context: FitContext, seed: int) -> Counting:
        tries.append(seed)
        raise Unavailable("its package is not installed")

    entries = [Contender("gone", "gone", missing, True), Contender("count", "counting", lambda s, n: counting, False)]
    monkeypatch.setattr(compare_module, "CONTENDERS", {entry.name: entry for entry in entries})
    run(*call)
    assert tries == [0], "one try is enough"
    comparison = Comparison.read(tmp_path / "out" / RESULTS)
    assert [o.method for o in comparison.outcomes] == ["count"]
    assert "gone did not take part: its package is not installed." in (tmp_path / "out" / TABLE).read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "bert"], "no method 'bert'; there are tfidf, nbsvm"),
        (["--seeds", "0,x"], "--seeds 0,x: whole numbers"),
        (["--seeds", ","], "--seeds : whole numbers"),
        (["--seeds", "0,4294967296"], "4294967296 is too large; the largest seed is 4294967295"),
        (["--budget-s", "0"], "--budget-s"),
        (["--set", "loop.epoch=3"], "did you mean loop.epochs"),
    ],
)
def test_misuse_is_told(call: list[str | Path], options: list[str], message: str) -> None:
    assert message in run(*call, *options, expect=2)


def test_what_stands_at_the_output_is_left_alone(call: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary").write_text("mine")
    assert "is not a comparison" in run(*call, expect=2)
    assert "is not a comparison" in run(*call, "--overwrite", expect=2)
    (tmp_path / "out" / RESULTS).write_text("{}")
    assert "not a comparison of this version" in run(*call, "--resume", expect=2)


def test_the_help_names_every_method() -> None:
    text = click.unstyle(run("compare", "--help"))
    listed = text[text.index("Baselines:") : text.index("All choosing")]
    assert set(re.findall(r"[a-z]+", re.sub(r"\([^)]*\)", "", listed))) - {"aselines", "etworks"} == set(CONTENDERS)


def test_methods_are_given_in_one_order() -> None:
    assert [entry.name for entry in select_methods(["bilstm", "tfidf"])] == ["tfidf", "bilstm"]
    assert [entry.name for entry in select_methods([])] == list(CONTENDERS)
    with pytest.raises(UsageError):
        select_methods(["tfidf", "x"])


def test_the_record_is_plain_json(call: list[str | Path], counting: Counting, tmp_path: Path) -> None:
    run(*call, "--seeds", "0")
    written = json.loads((tmp_path / "out" / RESULTS).read_text(encoding="utf-8"))
    assert written["data"]["train"]["file"] == "train.csv"
    assert Comparison.model_validate(written).config["loop.epochs"] == 5
    assert counting.asked
