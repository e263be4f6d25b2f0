"""A linear head fitted to what pre-trained layers say of the texts, before any layer moves.

Fitted first and trained further with all layers, it leaves these where they are good; a random head drags them along.
Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", section 4
(LP-FT).

Shape suffixes: N texts, P pooled states, F features, C labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression

from model.batch import Ids, lengths_of, map_batches
from model.config import Task
from model.network import RecurrentClassifier
from model.padding import pad
from training.linear.nbsvm import ALWAYS
from training.linear.ngrams import mean_loss
from training.linear.quiet import quiet_fit
from training.linear.targets import Rows, Targets

Floats = npt.NDArray[np.floating[Any]]
Places = npt.NDArray[np.int64]

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Values of the regression's C that are tried."""


@dataclass(frozen=True, slots=True)
class Features:
    """A linear map from pooled states to features, in which a regression knows large directions from small ones.

    Attributes:
        weight_FP, bias_F: the map.
    """

    weight_FP: Floats
    bias_F: Floats

    @classmethod
    def of_maps(cls, maps: Sequence[tuple[Floats, Floats]], pooled_NP: Floats) -> Self:
        """The vectors of all `maps` beside each other, those of each divided by their mean length over the texts."""
        scaled = []
        for weight_FP, bias_F in maps:
            length = float(np.linalg.norm(pooled_NP @ weight_FP.T + bias_F, axis=1).mean())
            scaled.append((weight_FP / length, bias_F / length))
        return cls(np.concatenate([weight for weight, _ in scaled]), np.concatenate([bias for _, bias in scaled]))

    def __call__(self, pooled_NP: Floats) -> Floats:
        """Features [N, F] of pooled states."""
        features_NF: Floats = pooled_NP @ self.weight_FP.T + self.bias_F
        return features_NF

    def head(self, weight_CF: Floats, bias_C: Floats) -> tuple[Floats, Floats]:
        """Weight [C, P] and bias [C] of the head over pooled states that gives the same logits."""
        return weight_CF @ self.weight_FP, weight_CF @ self.bias_F + bias_C


def pooled_states(network: RecurrentClassifier, rows: Sequence[Ids], device: torch.device) -> Floats:
    """Pooled states [N, P] of texts in evaluation mode, in their order; float32."""
    network = network.to(device).eval()

    def compute(places: Places) -> npt.NDArray[np.float32]:
        padded = pad([rows[i] for i in places]).to(device)
        pooled_BP = network.encoder(network.embed(padded.ids_TB), padded.lengths_B)
        return pooled_BP.float().cpu().numpy()  # type: ignore[no-any-return]

    width = network.architecture.pooled_size
    with torch.inference_mode():
        return map_batches(compute, lengths_of(rows), width=width, max_tokens=8192, max_rows=512)


def network_logits(network: RecurrentClassifier, rows: Sequence[Ids], device: torch.device) -> npt.NDArray[np.float32]:
    """Logits [N, C] of texts in evaluation mode, those of the n-grams included, in their order."""
    network = network.to(device).eval()

    def compute(places: Places) -> npt.NDArray[np.float32]:
        padded = pad([rows[i] for i in places]).to(device)
        return network(padded.ids_TB, padded.lengths_B).float().cpu().numpy()  # type: ignore[no-any-return]

    width = network.head.out_features
    with torch.inference_mode():
        return map_batches(compute, lengths_of(rows), width=width, max_tokens=8192, max_rows=512)


def fit_logistic(
    features_NF: Floats,
    targets: Targets,
    strength: float,
    task: Task,
    *,
    balanced: bool = False,
) -> tuple[Floats, Floats]:
    """Weight [C, F] and bias [C] of a logistic regression: one over all labels, or one for each of several.

    A label that no text has is as unlikely as one that all texts have is certain (`ALWAYS`).

    Args:
        features_NF, targets: of the training texts.
        strength: C; larger fits the texts closer.
        task: one label a text, or a set of labels.
        balanced: rare labels count as much as common ones.
    """
    num_labels, num_features = targets.truth_NC.shape[1], features_NF.shape[1]
    weight_CF, bias_C = np.zeros((num_labels, num_features)), np.full(num_labels, -ALWAYS)
    model = LogisticRegression(C=strength, max_iter=200, class_weight="balanced" if balanced else None)

    def solve(rows: Rows) -> tuple[Floats, Floats]:
        with quiet_fit():
            model.fit(rows.of(features_NF), rows.labels_R, sample_weight=rows.weights_R)
        return np.asarray(model.coef_), np.asarray(model.intercept_)

    if task == "multi_label":
        for label, rows in enumerate(targets.columns(task)):
            if rows.labels_R.all():
                bias_C[label] = ALWAYS
            elif rows.labels_R.any():
                (weight_CF[label],), (bias_C[label],) = solve(rows)
        return weight_CF, bias_C
    rows = targets.exclusive_rows()
    found = np.unique(rows.labels_R)
    if len(found) == 1:
        bias_C[found] = ALWAYS
        return weight_CF, bias_C
    weights, biases = solve(rows)
    if len(found) == 2:  # one score, of the second label against the first
        sides = np.array([[-0.5], [0.5]])
        weights, biases = sides * weights, sides[:, 0] * biases
    weight_CF[found], bias_C[found] = weights, biases
    return weight_CF, bias_C


def choose_strength(
    features_NF: Floats,
    targets: Targets,
    parts: Sequence[tuple[Places, Places]],
    task: Task,
    *,
    balanced: bool = False,
) -> float:
    """The value of `STRENGTHS` with the least loss of the labels on held-out texts, each as much as it weighs.

    Args:
        features_NF, targets: of all texts.
        parts: places of texts to fit to, and of texts that are held out from that fit.
        task, balanced: as of `fit_logistic`.
    """
    held = targets.take(np.concatenate([held for _, held in parts]))

    def loss(strength: float) -> float:
        logits = []
        for fitted, out in parts:
            texts = features_NF[fitted], targets.take(fitted)
            weight_CF, bias_C = fit_logistic(*texts, strength, task, balanced=balanced)
            logits.append(features_NF[out] @ weight_CF.T + bias_C)
        return mean_loss(np.concatenate(logits), held.truth_NC, task, weights_N=held.weights_N)

    best, least = STRENGTHS[0], np.inf
    for strength in STRENGTHS:
        found = loss(strength)
        if found > least:  # the loss has one valley
            break
        best, least = strength, found
    return best
