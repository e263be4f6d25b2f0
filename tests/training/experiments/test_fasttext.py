"""fastText through a stand-in of its package: what it is given, what is made of its answers, and what if it fails."""

import importlib.util
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.experiments.test_baselines import make_setting
from training.experiments import fasttext as fasttext_package
from training.experiments.contender import Unavailable
from training.experiments.fasttext import FastText, fit_fasttext, to_line
from training.experiments.fasttext_child import RATES, train_robustly

STAND_IN = """
import json, os, sys

class Model:
    def __init__(self, arguments, words):
        self.arguments, self.words = arguments, words
    def save_model(self, path):
        with open(path, "w") as file:
            json.dump([self.arguments, self.words], file)
    def predict(self, lines, k):
        assert k == -1 and not any("\\n" in line for line in lines)
        # A label's share of the words seen with it; labels of no share are left out, as the package does.
        shares = [{label: sum(w in seen for w in line.split()) for label, seen in self.words.items()} for line in lines]
        kept = [sorted(((v / sum(s.values()), l) for l, v in s.items() if v), reverse=True) for s in shares]
        return [[l for _, l in row] for row in kept], [[p * 1.00001 for p, _ in row] for row in kept]

def train_supervised(**arguments):
    print("noise", file=sys.stderr)
    if os.environ.get("FASTTEXT_CRASH"):
        os.kill(os.getpid(), 8)
    words = {}
    telling = "great lovely superb awful dull poor".split()
    with open(arguments["input"]) as file:
        lines = [line.split() for line in file]
    for tokens in lines:
        for label in (t for t in tokens if t.startswith("__label__")):
            words.setdefault(label, []).extend(t for t in tokens if t in telling)
    return Model(arguments, words)

def load_model(path):
    with open(path) as file:
        return Model(*json.load(file))
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of another name, so that neither an installed one nor a module already imported is in the way."""
    (tmp_path / "fasttext_stand_in.py").write_text(textwrap.dedent(STAND_IN), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(fasttext_package, "PACKAGE", "fasttext_stand_in")


@pytest.mark.usefixtures("stand_in")
def test_trains_in_its_own_process_and_answers(
    reviews: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    context = make_setting(tmp_path, reviews / "train.csv", budget_s=7)
    fitted: Any = fit_fasttext(context, 3)
    good = context.corpus.labels.index("good")
    logits = fitted.logits(["a superb\nfilm", "an awful film", "nothing"])
    assert logits.argmax(1).tolist()[:2] == [good, 1 - good]
    assert logits[2].tolist() == pytest.approx([logits[2, 0]] * 2)
    assert logits.max() < 0
    assert fitted.choice == "autotuned"
    assert fitted.size_bytes == (tmp_path / "model.bin").stat().st_size
    arguments = fitted.model.arguments
    assert (arguments["autotuneDuration"], arguments["seed"], arguments["thread"]) == (7, 3, 1)
    assert "loss" not in arguments
    assert capfd.readouterr().err == "", "what the package prints is kept away from the user"
    assert (tmp_path / "log.txt").read_text() == "noise\n"
    for role, dataset in (("train", context.corpus.train), ("validation", context.corpus.stopping)):
        lines = (tmp_path / f"{role}.txt").read_text(encoding="utf-8").splitlines()
        places = {name: place for place, name in enumerate(context.corpus.labels)}
        assert lines == [
            f"__label__{places[names[0]]} {text.lower()}"
            for text, names in zip(dataset.texts, dataset.labels, strict=True)
        ]


@pytest.mark.usefixtures("stand_in")
def test_sets_of_labels_get_odds(reviews: Path, tmp_path: Path) -> None:
    context = make_setting(tmp_path, reviews / "lists.jsonl", "data.validation_fraction=0.3")
    fitted: Any = fit_fasttext(context, 0)
    assert fitted.model.arguments["loss"] == "ova"
    logits = fitted.logits(["a superb film"])
    chosen = {name for name, value in zip(context.corpus.labels, logits[0], strict=True) if value > -1}
    assert chosen == {"good", "numbered"}


@pytest.mark.usefixtures("stand_in")
def test_a_crash_is_told_and_ends_nothing_else(reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTTEXT_CRASH", "1")
    with pytest.raises(Unavailable, match="ended with exit code -8; last output: noise"):
        fit_fasttext(make_setting(tmp_path, reviews / "train.csv"), 0)


def test_without_the_package_it_says_how_to_get_it(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fasttext_package, "PACKAGE", "no_such_package")
    assert importlib.util.find_spec("no_such_package") is None
    with pytest.raises(Unavailable, match="pip install fasttext-numpy2"):
        fit_fasttext(make_setting(tmp_path, reviews / "train.csv"), 0)


class Fickle:
    """Autotune fails; plain runs fail from a learning rate on, and the higher the better."""

    def __init__(self, fails_from: float, error: Exception) -> None:
        self.fails_from, self.error = fails_from, error
        self.calls: list[dict[str, Any]] = []

    def train_supervised(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        if arguments.get("lr", 9) >= self.fails_from:
            raise self.error
        return type("Model", (), {"rate": arguments["lr"], "test": lambda self, _: (1, self.rate, 1)})()


@pytest.mark.parametrize("error", [RuntimeError("Encountered NaN."), MemoryError("std::bad_alloc")])
def test_where_autotune_fails_plain_runs_take_its_place(error: Exception) -> None:
    package = Fickle(0.5, error)
    model, choice = train_robustly(package, {"input": "a", "autotuneValidationFile": "b", "autotuneDuration": 3})
    assert model.rate == 0.25
    assert choice == "autotune failed; lr 0.25, 2-grams, 25 epochs"
    assert [call.get("lr") for call in package.calls] == [None, *RATES]
    assert not any(key.startswith("autotune") for call in package.calls[1:] for key in call)
    with pytest.raises(RuntimeError, match="diverges"):
        train_robustly(Fickle(0.0, error), {"autotuneValidationFile": "b"})


def test_a_line_holds_no_label_and_no_line_break() -> None:
    assert to_line("x __label__1\r\ny", by_character=False) == "x label1 y"


def test_a_text_of_which_it_computes_nan_has_no_likeliest_label() -> None:
    class Broken:
        def predict(self, lines: list[str], k: int) -> Any:
            assert k == -1
            if lines == ["nan"]:
                raise RuntimeError("Encountered NaN.")
            return [["__label__1", "__label__0"]], [[0.75, 0.25]]

    model = FastText(Broken(), "single_label", 2, by_character=False, size_bytes=1, choice="")
    logits_NC = model.logits(["nan", "fine"])
    assert logits_NC[0, 0] == logits_NC[0, 1]
    assert np.exp(logits_NC[1]).tolist() == pytest.approx([0.25, 0.75])
