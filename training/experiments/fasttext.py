"""Fits fastText with its own package where that is installed: `pip install fasttext-numpy2` (Linux on x86-64).

It trains in a process of its own: its autotune tries tables of up to 40 GB and can end the process that it runs in.

Source: Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification".
"""

import importlib
import importlib.util
import multiprocessing
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.config import Task
from tables.labels import Names
from training.data.dataset import Dataset, mostly_chinese
from training.evaluation.report import shorten
from training.experiments.contender import Contender, FitContext, Fitted, Floats, Unavailable
from training.experiments.fasttext_child import CHOICE, LOG, MODEL, train_here
from training.linear.tfidf import WORD

PACKAGE = "fasttext"

DEFAULT_BUDGET_S = 60.0
"""Of autotune where no budget is given; fastText's own default is five minutes."""

SMALLEST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class FastText:
    """A trained fastText model; implements `training.experiments.contender.Fitted`."""

    model: Any
    task: Task
    num_labels: int
    by_character: bool
    size_bytes: int
    choice: str

    def logits(self, texts: Sequence[str]) -> Floats:
        """Logarithms of its probabilities; for multi-label of their odds."""
        p_NC = np.full((len(texts), self.num_labels), SMALLEST_PROBABILITY)
        for row, (labels, values) in enumerate(map(self._predict, texts)):
            for label, value in zip(labels, values, strict=True):
                p_NC[row, int(label.removeprefix("__label__"))] = value
        p_NC = p_NC.clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        return np.asarray(np.log(p_NC) if self.task == "single_label" else np.log(p_NC / (1 - p_NC)))

    def _predict(self, text: str) -> tuple[Sequence[str], Sequence[float]]:
        """Labels and probabilities; none, so that all labels are alike, where its weights give NaN for the text."""
        try:
            (labels,), (values,) = self.model.predict([to_line(text, self.by_character)], k=-1)
        except RuntimeError:
            return (), ()
        return labels, values


def fit_fasttext(context: FitContext, seed: int) -> Fitted:
    """Trains with the settings that fastText's autotune finds best on validation within the budget.

    Raises:
        Unavailable: the package is not installed, or it ended its process.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise Unavailable("its package is not installed (pip install fasttext-numpy2, on Linux with x86-64)")
    corpus, folder = context.corpus, context.scratch
    by_character = mostly_chinese(corpus.train.texts)
    _write(folder / "train.txt", corpus.train, corpus.labels, by_character)
    _write(folder / "validation.txt", corpus.stopping, corpus.labels, by_character)
    arguments = {
        "input": str(folder / "train.txt"),
        "autotuneValidationFile": str(folder / "validation.txt"),
        "autotuneDuration": max(1, round(context.budget_s or DEFAULT_BUDGET_S)),
        "thread": 1,  # the only number that gives the same weights again
        "seed": seed,
        "verbose": 0,
    }
    if corpus.task == "multi_label":
        arguments["loss"] = "ova"
    process = multiprocessing.get_context("spawn").Process(target=train_here, args=(PACKAGE, arguments, str(folder)))
    process.start()
    try:
        process.join()
    finally:
        process.kill()
    if process.exitcode != 0:
        said = (folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "nothing")
        raise Unavailable(f"its process ended with exit code {process.exitcode}; last output: {shorten(last)}")
    model = importlib.import_module(PACKAGE).load_model(str(folder / MODEL))
    choice = (folder / CHOICE).read_text(encoding="utf-8")
    return FastText(model, corpus.task, len(corpus.labels), by_character, (folder / MODEL).stat().st_size, choice)


FASTTEXT = Contender("fasttext", "fastText, autotuned", fit_fasttext, seeded=True, weighs=False)


def to_line(text: str, by_character: bool) -> str:
    r"""Puts spaces between tokens, the only separator that fastText knows; `__label__` would be read as a label.

    >>> to_line("A fine\n(sort of) film", by_character=False)
    'a fine ( sort of ) film'
    >>> to_line("好看 film", by_character=True)
    '好 看 f i l m'
    """
    tokens = [c for c in text.lower() if not c.isspace()] if by_character else re.findall(WORD, text.lower())
    return " ".join(token.replace("__label__", "label") for token in tokens)


def _write(path: Path, dataset: Dataset, labels: Names, by_character: bool) -> None:
    places = {name: place for place, name in enumerate(labels)}
    lines = []
    for text, names in zip(dataset.texts, dataset.labels, strict=True):
        marks = " ".join(f"__label__{places[name]}" for name in names)
        lines.append(f"{marks} {to_line(text, by_character)}\n".lstrip())
    path.write_text("".join(lines), encoding="utf-8")
