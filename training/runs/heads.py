"""Fits the head of a network whose layers are pre-trained, before these layers move.

Shape suffixes: N texts, P pooled states, C labels.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model.network import RecurrentClassifier
from training.config.config import TrainConfig
from training.config.start import Start
from training.data.corpus import Corpus
from training.data.dataset import truth_of
from training.fit.trainer import Examples
from training.linear.probe import Features, choose_strength, fit_logistic, pooled_states

Floats = npt.NDArray[np.floating[Any]]
Head = tuple[Floats, Floats]
"""Weight [C, P] and bias [C]."""

ENOUGH = 5000
"""Training texts that the head is fitted to, at most: where there are more, training moves it far anyway."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of the networks before training.

    Attributes:
        folds: for the network of each fold, fitted without its texts.
        whole: fitted to all texts.
    """

    folds: Sequence[Head]
    whole: Head


def fit_heads(
    network: RecurrentClassifier,
    train: Examples,
    corpus: Corpus,
    config: TrainConfig,
    start: Start | None,
    device: torch.device,
) -> Heads | None:
    """Fits a head for each fold and one for all; None if the start has no map that says how.

    Raises:
        AssertionError: the corpus has no folds.
    """
    if start is None or not start.maps:
        return None
    if corpus.fold_N is None:
        raise AssertionError("the corpus has folds")
    pooled_NP = pooled_states(network, train.ids, device)
    features = Features.of_maps(start.maps, pooled_NP)
    features_NF, truth_NC = features(pooled_NP), truth_of(corpus.train, corpus.labels)
    parts = [(np.flatnonzero(corpus.fold_N != k), np.flatnonzero(corpus.fold_N == k)) for k in np.unique(corpus.fold_N)]
    balanced = config.loop.class_weights == "balanced"
    strength = choose_strength(features_NF, truth_NC, parts, corpus.task, balanced=balanced)

    def head(places: npt.NDArray[np.int64]) -> Head:
        weights_N = None if train.weights is None else train.weights[places]
        texts = (features_NF[places], truth_NC[places], strength, corpus.task)
        found = fit_logistic(*texts, balanced=balanced, weights_N=weights_N)
        return features.head(*found)

    return Heads([head(others) for others, _ in parts], head(np.arange(len(truth_NC))))


def fit_head(
    network: RecurrentClassifier,
    train: Examples,
    stopping: Examples,
    corpus: Corpus,
    config: TrainConfig,
    start: Start,
    device: torch.device,
) -> Head | None:
    """Fits the head to `ENOUGH` training texts, its strength chosen on the stopping texts.

    Returns:
        None if the start has no map that says how, or texts are judged among labels of their own.
    """
    if not start.maps or corpus.train.choices is not None:
        return None
    some = np.sort(np.random.default_rng(config.seed).permutation(len(train.ids))[:ENOUGH])
    rows = [*(train.ids[i] for i in some), *stopping.ids]
    pooled_NP = pooled_states(network, rows, device)
    features = Features.of_maps(start.maps, pooled_NP[: len(some)])
    features_NF = features(pooled_NP)
    truth_NC = np.concatenate([truth_of(corpus.train, corpus.labels)[some], truth_of(corpus.stopping, corpus.labels)])
    fitted, held = np.arange(len(some)), np.arange(len(some), len(rows))
    balanced = config.loop.class_weights == "balanced"
    strength = choose_strength(features_NF, truth_NC, [(fitted, held)], corpus.task, balanced=balanced)
    weights_N = None if train.weights is None else train.weights[some]
    texts = (features_NF[fitted], truth_NC[fitted], strength, corpus.task)
    found = fit_logistic(*texts, balanced=balanced, weights_N=weights_N)
    return features.head(*found)


def with_head(network: RecurrentClassifier, head: Head | None) -> RecurrentClassifier:
    """A copy of the network with this weight and bias in its head; with its own if there is none."""
    copied = copy.deepcopy(network)
    if head is not None:
        with torch.no_grad():
            copied.head.weight.copy_(torch.from_numpy(head[0]))
            copied.head.bias.copy_(torch.from_numpy(head[1]))
    return copied
