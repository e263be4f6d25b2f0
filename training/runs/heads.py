"""Fits the head of a network whose layers are pre-trained, before these layers move.

Shape suffixes: N texts, P pooled states, C labels.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model.batch import Ids
from model.network import RecurrentClassifier
from training.config.config import TrainConfig
from training.config.start import Start
from training.data.corpus import Corpus
from training.fit.trainer import Examples
from training.linear.probe import Features, Places, choose_strength, fit_logistic, pooled_states
from training.linear.targets import Targets

Floats = npt.NDArray[np.floating[Any]]
Head = tuple[Floats, Floats]
"""Weight [C, P] and bias [C]."""

ENOUGH = 5000
"""Texts that the head is fitted to, and as many to choose its strength by, at most: training moves it far anyway."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of the networks before training.

    Attributes:
        folds: for the network of each fold, fitted without its texts; none without folds.
        whole: fitted to all training texts, or to `ENOUGH` of them.
    """

    folds: Sequence[Head]
    whole: Head


def fit_heads(
    network: RecurrentClassifier,
    train: Examples,
    stopping: Examples,
    corpus: Corpus,
    config: TrainConfig,
    start: Start | None,
    device: torch.device,
) -> Heads | None:
    """Fits the head, its strength chosen on the stopping texts; with folds one for each, chosen on all texts.

    Returns:
        None if the start has no map that says how, or texts are judged among labels of their own.
    """
    if start is None or not start.maps or corpus.train.choices is not None:
        return None
    rows, targets, num_fitted, parts = _texts(train, stopping, corpus, config.seed)
    pooled_NP = pooled_states(network, rows, device)
    features = Features.of_maps(start.maps, pooled_NP[:num_fitted])
    features_NF, balanced = features(pooled_NP), config.loop.class_weights == "balanced"
    strength = choose_strength(features_NF, targets, parts, corpus.task, balanced=balanced)

    def head(places: Places) -> Head:
        texts = features_NF[places], targets.take(places)
        return features.head(*fit_logistic(*texts, strength, corpus.task, balanced=balanced))

    folds = [head(others) for others, _ in parts] if corpus.fold_N is not None else []
    return Heads(folds, head(np.arange(num_fitted)))


def _texts(
    train: Examples, stopping: Examples, corpus: Corpus, seed: int
) -> tuple[Sequence[Ids], Targets, int, list[tuple[Places, Places]]]:
    """Texts, those to fit to first; their targets; the number to fit to; and parts to choose by.

    The texts to choose by follow as validation has them: with folds they are those to fit to, but nothing is masked.
    """
    fold_N = corpus.fold_N
    if fold_N is None:
        fitted, judged = _some(len(train.ids), seed), _some(len(stopping.ids), seed)
    else:
        fitted = judged = np.arange(len(fold_N))
    rows = [*(train.ids[i] for i in fitted), *(stopping.ids[i] for i in judged)]
    targets = replace(Targets.of(corpus.train, corpus.labels), weights_N=train.weights).take(fitted)
    targets = targets.followed_by(Targets.of(corpus.stopping, corpus.labels).take(judged))
    first = len(fitted)
    if fold_N is None:
        return rows, targets, first, [(np.arange(first), np.arange(first, len(rows)))]
    parts = [(np.flatnonzero(fold_N != k), first + np.flatnonzero(fold_N == k)) for k in np.unique(fold_N)]
    return rows, targets, first, parts


def _some(count: int, seed: int) -> Places:
    """Places of at most `ENOUGH` of so many texts, in order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:ENOUGH])


def with_head(network: RecurrentClassifier, head: Head | None) -> RecurrentClassifier:
    """A copy of the network with this weight and bias in its head; with its own if there is none."""
    copied = copy.deepcopy(network)
    if head is not None:
        with torch.no_grad():
            copied.head.weight.copy_(torch.from_numpy(head[0]))
            copied.head.bias.copy_(torch.from_numpy(head[1]))
    return copied
