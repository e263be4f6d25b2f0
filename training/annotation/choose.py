"""Chooses which texts a person should label next for a checkpoint to learn most: unsure ones that differ.

Each text has a weight, how unsure the checkpoint is of it, and a vector, what its head reads. The surest texts are left
out, then texts are drawn one by one with a chance in proportion to weight times squared distance to the nearest text
chosen so far, as k-means++ draws its first centres. So near copies of an unsure text are not all chosen.

Source: Arthur & Vassilvitskii 2007, "k-means++: the advantages of careful seeding"; with the model's gradients in place
of weight and vector it is Ash et al. 2020, "Deep batch active learning by diverse, uncertain gradient lower bounds".

Shape suffixes: N texts, C labels, P vector, M chosen.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

Uncertainty = Literal["entropy", "margin"]

CANDIDATES = 10
"""Unsure texts kept for each text to choose; the surer ones are left out."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Texts that a person should label.

    Attributes:
        places: int64 [M], in the order in which they were chosen.
        uncertainty: float32 [M] of each, 0 to 1.
    """

    places: npt.NDArray[np.int64]
    uncertainty: Floats


def uncertainty(probabilities_NC: Floats, *, kind: Uncertainty, multi_label: bool = False) -> Floats:
    """The uncertainty [N] of a checkpoint, 0 (sure) to 1.

    Entropy is divided by that of equal probabilities; margin is 1 less the difference of the two most probable labels.
    With several labels a text each label is a question of its own, and the least sure one counts.

    >>> uncertainty(np.array([[0.5, 0.5], [1.0, 0.0]], dtype=np.float32), kind="margin").tolist()
    [1.0, 0.0]
    """
    if multi_label:
        pairs_NC2 = np.stack([probabilities_NC, 1 - probabilities_NC], axis=2)
        num_texts, num_labels, _ = pairs_NC2.shape
        each = uncertainty(pairs_NC2.reshape(-1, 2), kind=kind).reshape(num_texts, num_labels)
        return np.asarray(each.max(axis=1), dtype=np.float32)
    if kind == "margin":
        top_N2 = np.sort(probabilities_NC, axis=1)[:, -2:]
        return np.asarray(1 - (top_N2[:, 1] - top_N2[:, 0]), dtype=np.float32)
    inside_NC = np.clip(probabilities_NC, np.finfo(np.float32).tiny, 1)
    entropy_N = -(inside_NC * np.log(inside_NC)).sum(axis=1)
    return np.asarray(np.clip(entropy_N / np.log(inside_NC.shape[1]), 0, 1), dtype=np.float32)


def choose(uncertainty_N: Floats, vectors_NP: Floats, count: int, *, seed: int) -> Choice:
    """Chooses `count` of N texts, or all if there are no more.

    Args:
        uncertainty_N: of each text, 0 to 1.
        vectors_NP: of length 1, or of length 0 for a text without tokens.
        count: at least 1.
        seed: of the draws.
    """
    kept = np.argsort(-uncertainty_N, kind="stable")[: CANDIDATES * count]
    weights, vectors = uncertainty_N[kept].astype(np.float64), vectors_NP[kept]
    rng = np.random.default_rng(seed)
    chosen = [0]  # the most unsure one
    nearest = _squared_distances(vectors, vectors[0])
    while len(chosen) < min(count, len(kept)):
        chances = weights * nearest
        chances[chosen] = 0
        if not chances.sum() > 0:  # nothing but copies is left: the most unsure of them
            chances = np.where(np.isin(np.arange(len(kept)), chosen), 0.0, 1.0)
            chances[np.argmax(chances) + 1 :] = 0
        chosen.append(int(rng.choice(len(kept), p=chances / chances.sum())))
        nearest = np.minimum(nearest, _squared_distances(vectors, vectors[chosen[-1]]))
    places = kept[chosen]
    return Choice(places.astype(np.int64), uncertainty_N[places])


def _squared_distances(vectors: Floats, one: Floats) -> npt.NDArray[np.float64]:
    distances = ((vectors - one).astype(np.float64) ** 2).sum(axis=1)
    return np.where(distances < 1e-9, 0.0, distances)
