"""TF-IDF with logistic regression that learns from one set's training split alone."""

from pathlib import Path

import numpy as np
from rich.console import Console

from model.config import Frozen
from model.probabilities import probabilities
from training.config.config import TrainConfig
from training.config.request import Request
from training.data.corpus import Corpus
from training.data.dataset import Dataset, label_names, truth_of
from training.experiments.baselines import fit_tfidf
from training.experiments.contender import FitContext
from training.metrics.intervals import Interval
from training.metrics.scores import score


class Baseline(Frozen):
    """Scores of the linear model, as shares, and the strength `choice` that validation chose."""

    choice: str
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval


def score_baseline(train: Dataset, validation: Dataset, judged: Dataset) -> Baseline:
    """Scores the linear model on `judged`; its strength C is that of the highest macro-F1 on `validation`.

    The three are splits of one set. Judged on `validation` itself, it is flattered a little.
    """
    labels = label_names(train)
    corpus = Corpus(train, {"validation": validation}, validation, validation, labels, files={}, warnings=[])
    request = Request(config=TrainConfig(metric="macro_f1"), command="", recipe=None, data_root="")
    console = Console(quiet=True)
    context = FitContext(request=request, corpus=corpus, device="cpu", budget_s=None, scratch=Path(), console=console)
    fitted = fit_tfidf(context, 0, against_rest=True)
    p_NC = probabilities(fitted.logits(judged.texts).astype(np.float64), task="single_label")
    scores = score(p_NC, truth_of(judged, labels), labels, task="single_label")
    shown = {name: getattr(scores, name) for name in Baseline.model_fields if name != "choice"}
    return Baseline(choice=fitted.choice, **shown)
